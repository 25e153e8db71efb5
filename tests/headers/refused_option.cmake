# SPDX-License-Identifier: BSL-1.0
# Preprocesses `headers` each with `options`; the compiler must say what is `expected`, stop there, and say nothing else.
set(ENV{LC_ALL} C)
list(REMOVE_ITEM headers multiprocessing/version.hpp) # says nothing but numbers
foreach(header IN LISTS headers)
    execute_process(
        COMMAND "${compiler}" -std=c++20 ${options} -E -o - -fdiagnostics-color=never -I "${include_dir}"
                -include "${header}" -x c++ /dev/null
        RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE out
    )
    string(REGEX MATCHALL "error: " errors "${out}")
    list(LENGTH errors errors)
    if(status EQUAL 0 OR NOT out MATCHES "config.hpp:[0-9:]+ error: (#error )?\"?[^\n]*${expected}")
        message(FATAL_ERROR "${header} with ${options}: expected was an error that says '${expected}':\n${out}")
    endif()
    if(NOT errors EQUAL 2 OR NOT out MATCHES "fatal error: '?multiprocessing/see_the_error_above")
        message(FATAL_ERROR "${header} with ${options}: more is said than that:\n${out}")
    endif()
    string(REGEX MATCHALL "\n" lines "${out}")
    list(LENGTH lines lines)
    if(lines GREATER 20)
        message(FATAL_ERROR "${header} with ${options}: ${lines} lines are more than a handful:\n${out}")
    endif()
endforeach()
