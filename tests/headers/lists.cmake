# SPDX-License-Identifier: BSL-1.0
# Lists of headers, relative to include/: `headers` (all but the twins), `twins` (of both systems), `public_headers` (all but
# the optional ones) and `contracts`.
set(include_dir "${PROJECT_SOURCE_DIR}/include")
file(GLOB_RECURSE headers RELATIVE "${include_dir}" CONFIGURE_DEPENDS "${include_dir}/*.hpp")
set(twins ${headers})
list(FILTER twins INCLUDE REGEX "/detail/(posix|win32)/")
list(FILTER headers EXCLUDE REGEX "/detail/(posix|win32)/") # those are parts of their contracts, which include them
# The optional ones need a library of their own, and a target that brings it.
file(STRINGS "${PROJECT_SOURCE_DIR}/tests/layering/layers.txt" optional REGEX "^optional ")
list(TRANSFORM optional REPLACE "^optional +" "")
string(REGEX REPLACE "[ ;]+" "|" optional "${optional}")
list(FILTER headers EXCLUDE REGEX "^multiprocessing/(${optional})\\.hpp$")
if(NOT TARGET multiprocessing_remote)
    list(FILTER headers EXCLUDE REGEX "/(keyed_digest|handshake|acceptor)\\.hpp$|/remote_managers/")
    list(FILTER twins EXCLUDE REGEX "/keyed_digest\\.hpp$")
endif()
set(public_headers ${headers})
list(FILTER public_headers EXCLUDE REGEX "/detail/")
set(contracts ${headers})
list(FILTER contracts INCLUDE REGEX "/detail/platform/")

# "#include <...>" of each, a line each.
function(mp_includes_of result)
    list(TRANSFORM ARGN PREPEND "#include <")
    list(TRANSFORM ARGN APPEND ">\n")
    list(JOIN ARGN "" lines)
    set(${result} "${lines}" PARENT_SCOPE)
endfunction()
