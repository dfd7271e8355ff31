# Writes one header that holds the whole library. Run as a script:
#   cmake -DINCLUDE=<the include folder> -DOUTPUT=<file to write> -P quantaSingleHeader.cmake
#
# Every header stands once, where it is first included. Those that only <quanta/io.hpp> needs, which also needs
# nlohmann-json, are there for who defines QUANTA_WITH_IO.
cmake_minimum_required(VERSION 3.22)
foreach(needed IN ITEMS INCLUDE OUTPUT)
  if(NOT ${needed})
    message(FATAL_ERROR "quantaSingleHeader.cmake: -D${needed}=... is missing")
  endif()
endforeach()

set_property(GLOBAL PROPERTY headers "")
set_property(GLOBAL PROPERTY text "")

# Adds a header's text, with those it includes in their places. Texts are never lists here: they hold semicolons.
function(add_header name)
  get_property(headers GLOBAL PROPERTY headers)
  if(name IN_LIST headers)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY headers "${name}")
  file(READ "${INCLUDE}/${name}" rest)
  set_property(GLOBAL APPEND_STRING PROPERTY text "\n// ---- ${name} ----\n\n")
  string(REPLACE "#pragma once\n" "" rest "${rest}")
  string(REPLACE "// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0\n//\n" "" rest "${rest}")
  while(TRUE)
    string(FIND "${rest}" "#include <quanta/" begin)
    if(begin EQUAL -1)
      break()
    endif()
    string(SUBSTRING "${rest}" 0 ${begin} before)
    string(SUBSTRING "${rest}" ${begin} -1 rest)
    string(FIND "${rest}" ">" end)
    math(EXPR length "${end} - 10")
    string(SUBSTRING "${rest}" 10 ${length} included)
    math(EXPR end "${end} + 2")  # behind the line's end
    string(SUBSTRING "${rest}" ${end} -1 rest)
    set_property(GLOBAL APPEND_STRING PROPERTY text "${before}")
    add_header("${included}")
  endwhile()
  set_property(GLOBAL APPEND_STRING PROPERTY text "${rest}")
endfunction()

add_header(quanta/quanta.hpp)
file(GLOB others RELATIVE "${INCLUDE}" "${INCLUDE}/quanta/*.hpp")
list(REMOVE_ITEM others quanta/io.hpp)
list(SORT others)
foreach(other IN LISTS others)
  add_header("${other}")
endforeach()
set_property(GLOBAL APPEND_STRING PROPERTY text "\n#ifdef QUANTA_WITH_IO\n")
add_header(quanta/io.hpp)
set_property(GLOBAL APPEND_STRING PROPERTY text "#endif  // QUANTA_WITH_IO\n")

get_property(text GLOBAL PROPERTY text)
file(WRITE "${OUTPUT}" "// Quanta, exact quantization for C++ on Eigen, in one file. SPDX-License-Identifier: Apache-2.0\n\
//\n\
// Made from the headers of the library, which are the ones to read. With QUANTA_WITH_IO defined before it is included\n\
// it also reads and writes files, which needs nlohmann-json.\n\
#pragma once\n${text}")
