# SPDX-License-Identifier: BSL-1.0
# Compiles `source` with and without TWIN; see CMakeLists.txt. Its first lines are comments:
#   // error: REGEX          what the compiler must say (CMake's regular expressions; quotes are not escaped in it)
#   // error of Clang: REGEX    instead, for the compiler of that CMake id
# and where the default does not do:
#   // lines of GNU: N        the most lines that it may take
#   // within N of M          of any number of errors: the reason is in the first N, and there are at most M
#   // no twin                there is no twin
# `flags` may be set to further options.
set(flags -std=c++20 -fsyntax-only -fdiagnostics-color=never -Wall -Wextra -Wpedantic ${flags} -I "${include_dir}")
list(REMOVE_ITEM system_include_dirs /usr/include) # named, it would be searched too early
foreach(dir IN LISTS system_include_dirs)
    list(APPEND flags -isystem "${dir}")
endforeach()
set(ENV{LC_ALL} C)

file(READ "${source}" text)
set(most_lines 12)
if(compiler_id MATCHES Clang)
    set(most_lines 24)
endif()
if(text MATCHES "// lines of ${compiler_id}: ([0-9]+)\n")
    set(most_lines ${CMAKE_MATCH_1})
endif()
if(text MATCHES "// error of ${compiler_id}: ([^\n]*)\n")
    set(expected "${CMAKE_MATCH_1}")
elseif(text MATCHES "^// error: ([^\n]*)\n")
    set(expected "${CMAKE_MATCH_1}")
else()
    message(FATAL_ERROR "${source}: its first line is no '// error: REGEX'")
endif()

if(NOT text MATCHES "// no twin\n")
    execute_process(
        COMMAND "${compiler}" ${flags} -Werror -DTWIN "${source}"
        RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out
    )
    if(NOT status EQUAL 0 OR NOT out STREQUAL "")
        message(FATAL_ERROR "the twin should compile without a word:\n${out}")
    endif()
endif()

execute_process(
    COMMAND "${compiler}" ${flags} "${source}"
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out
)
message("${out}")
if(status EQUAL 0)
    message(FATAL_ERROR "this should not compile")
endif()
string(REPLACE "\\'" "'" unescaped "${out}")
if(NOT unescaped MATCHES "${expected}")
    message(FATAL_ERROR "expected was an error that matches: ${expected}")
endif()

# Nobody reads which file includes which.
string(REGEX REPLACE "(In file included from|                 from) [^\n]*\n" "" unescaped "${unescaped}")
if(text MATCHES "// within ([0-9]+) of ([0-9]+)\n")
    set(within ${CMAKE_MATCH_1})
    set(at_most ${CMAKE_MATCH_2})
    string(REGEX MATCHALL "\n" lines "${unescaped}")
    list(LENGTH lines lines)
    set(line 0)
    set(found 0)
    set(rest "${unescaped}")
    while(NOT found AND rest MATCHES "^([^\n]*)\n")
        math(EXPR line "${line} + 1")
        set(this "${CMAKE_MATCH_1}")
        string(LENGTH "${CMAKE_MATCH_0}" length)
        string(SUBSTRING "${rest}" ${length} -1 rest)
        if(this MATCHES "${expected}")
            set(found ${line})
        endif()
    endwhile()
    if(NOT found OR found GREATER within OR lines GREATER at_most)
        message(FATAL_ERROR "line ${found} of ${lines} has the reason; it should be in the first ${within} of ${at_most}")
    endif()
    return()
endif()

string(REGEX MATCHALL "error: " errors "${out}")
list(LENGTH errors errors)
string(REGEX MATCHALL "\n" lines "${unescaped}")
list(LENGTH lines lines)
if(NOT errors EQUAL 1)
    message(FATAL_ERROR "one mistake, but ${errors} errors")
endif()
if(lines GREATER most_lines)
    message(FATAL_ERROR "${lines} lines of error, more than ${most_lines}")
endif()
