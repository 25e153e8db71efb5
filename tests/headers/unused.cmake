# SPDX-License-Identifier: BSL-1.0
# Counts the functions and tables in `object`, which is of a source that uses nothing.
execute_process(COMMAND "${nm}" -C "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " [TWV] [^\n]*" defined "${symbols}")
list(LENGTH defined count)
if(count GREATER 30)
    list(JOIN defined "\n" text)
    message(FATAL_ERROR "${count} symbols are defined where nothing is used:\n${text}")
endif()
