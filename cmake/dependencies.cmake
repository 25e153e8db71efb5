# SPDX-License-Identifier: BSL-1.0
# Boost headers (1.74 or newer) and threads: all that a user of the library needs.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(CMAKE_CROSSCOMPILING AND NOT TARGET Boost::headers)
    # A cross build may not see /usr/include, where the host's C library lives: link Boost alone into view.
    file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/host_include")
    file(CREATE_LINK /usr/include/boost "${PROJECT_BINARY_DIR}/host_include/boost" SYMBOLIC)
    add_library(Boost::headers INTERFACE IMPORTED)
    target_include_directories(Boost::headers SYSTEM INTERFACE "${PROJECT_BINARY_DIR}/host_include")
else()
    find_package(Boost 1.74 CONFIG REQUIRED)
endif()

# libssl and libcrypto, for multiprocessing::remote alone; Windows has what that needs. Without it there is no such target.
if(NOT WIN32)
    find_package(OpenSSL COMPONENTS SSL Crypto)
endif()
