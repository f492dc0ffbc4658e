# cmake -DIN="a.js;b.js" -DOUT=header -DNAME=kName -P embed.cmake: the files, one after the other and inside one function,
# as a C++ string.
set(text "globalThis.popvault = (() => {\n'use strict';")
foreach(file IN LISTS IN)
  file(READ ${file} part)
  string(APPEND text "\n${part}")
endforeach()
string(APPEND text "return api;\n})()")
# The browser parses this for each document: comments and indentation stay behind. (A comment is a line of its own.)
string(REGEX REPLACE "\n[ ]*//[^\n]*" "" text "${text}")
string(REGEX REPLACE "\n[ \n]+" "\n" text "${text}")
# A string literal need not hold more than 64 KiB; pieces are joined by the compiler.
string(LENGTH "${text}" size)
set(pieces "")
set(at 0)
while(at LESS size)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "R\"~~(${piece})~~\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUT} "// Generated from src/injector/finder/.\n#pragma once\n\n#include <string_view>\n\n"
     "namespace popvault::injector {\n\ninline constexpr std::string_view ${NAME} =\n${pieces};\n\n"
     "}  // namespace popvault::injector\n")
