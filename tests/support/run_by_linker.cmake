# SPDX-License-Identifier: BSL-1.0
# cmake -DREADELF=... -DPROGRAM=... -DMETHOD=... -P run_by_linker.cmake: has the dynamic linker that PROGRAM names run it.

execute_process(COMMAND "${READELF}" -l -W "${PROGRAM}" OUTPUT_VARIABLE headers RESULT_VARIABLE failed)
if(failed OR NOT headers MATCHES "program interpreter: ([^]\n]+)\\]")
    message("${PROGRAM} names no dynamic linker: nothing was tried")
    return()
endif()
set(linker "${CMAKE_MATCH_1}")
get_filename_component(folder "${PROGRAM}" DIRECTORY)

foreach(options IN ITEMS "" "--library-path;${folder}")
    execute_process(COMMAND "${linker}" ${options} "${PROGRAM}" ${METHOD} run_by_linker "${linker}" "${PROGRAM}"
                    RESULT_VARIABLE result)
    if(NOT result STREQUAL "0")
        message(FATAL_ERROR "${linker} ${options} ${PROGRAM} ended with ${result}")
    endif()
endforeach()
