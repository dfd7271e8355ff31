# The target quanta-docs writes the reference documentation, docs/index.html under the build directory, where Doxygen
# is installed.
find_program(QUANTA_DOXYGEN doxygen)
if(QUANTA_DOXYGEN)
  set(docs "${CMAKE_CURRENT_BINARY_DIR}/docs")
  configure_file(.cmake/Doxyfile.in "${docs}/Doxyfile" @ONLY)
  add_custom_target(quanta-docs COMMAND "${QUANTA_DOXYGEN}" "${docs}/Doxyfile" COMMENT "Writing docs/index.html"
                    VERBATIM)
endif()
