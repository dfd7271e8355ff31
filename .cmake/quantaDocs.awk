# What Doxygen reads of a header, line for line (FILTER_PATTERNS of Doxyfile.in):
#   - its opening comment is the documentation of the file;
#   - formulas, tables and code, which comments indent by three spaces and more, stay as they are written;
#   - bodies are left out: Doxygen 1.9 cannot tell which declaration some of them belong to.

NR == 1 { print "/// \\file"; opening = 1; next }

/^\/\/ ---- bodies ----$/ {
  while (depth-- > 0) print "}"
  print "QUANTA_NAMESPACE_END"
  exit
}
/^namespace .*{$/ { ++depth }
/^}  \/\/ namespace / { --depth }

!/^ *\/\// { opening = 0 }
opening { sub(/^\/\//, "///") }
/^ *\/\/\/   / { sub(/\/\/\//, "///    ") }
{ print }
