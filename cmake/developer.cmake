# SPDX-License-Identifier: BSL-1.0
# What only the developers of the library need: warnings, sanitizers, tests, examples, benches.
# Who only installs needs no Catch2. Who asks for tests is told if it is not there.
if(NOT DEFINED MULTIPROCESSING_TESTS AND NOT CMAKE_CROSSCOMPILING)
    find_package(Catch2 QUIET)
    if(NOT Catch2_FOUND)
        message(STATUS "There is no Catch2: the tests are left out (MULTIPROCESSING_TESTS=ON asks for them)")
        set(MULTIPROCESSING_TESTS OFF)
    endif()
endif()
option(MULTIPROCESSING_TESTS "Build the tests" ON)
option(MULTIPROCESSING_EXAMPLES "Build the examples" ON)
option(MULTIPROCESSING_BENCHES "Build the benches" OFF)
set(MULTIPROCESSING_SANITIZE "" CACHE STRING "Sanitizers to build with, as for -fsanitize=")

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_EXTENSIONS OFF)
find_program(ccache ccache)
if(ccache AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${ccache}")
endif()

add_library(multiprocessing_developer INTERFACE)
target_link_libraries(multiprocessing_developer INTERFACE multiprocessing)
target_compile_options(multiprocessing_developer INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
# Warnings are errors with the compilers that this was tried with. A newer one may know new warnings, which must not keep
# anybody from building.
set(tried_gnu $<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>)
set(tried_clang $<AND:$<CXX_COMPILER_ID:Clang>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,20>>)
target_compile_options(multiprocessing_developer INTERFACE $<$<OR:${tried_gnu},${tried_clang}>:-Werror>)
if(MULTIPROCESSING_SANITIZE)
    set(sanitize -fsanitize=${MULTIPROCESSING_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    if(MULTIPROCESSING_SANITIZE MATCHES "undefined")
        # It looks at an object through a pipe, and takes it for none where a test leaves no descriptor.
        list(APPEND sanitize -fno-sanitize=vptr)
    endif()
    target_compile_options(multiprocessing_developer INTERFACE ${sanitize})
    # g++ 12 takes instrumented code of <regex>, which Catch2 includes, for a use of uninitialised memory.
    target_compile_options(multiprocessing_developer INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(multiprocessing_developer INTERFACE ${sanitize})
endif()
option(MULTIPROCESSING_CHECKED "Build the library with costly checks of its own" OFF)
if(MULTIPROCESSING_CHECKED)
    target_compile_definitions(multiprocessing_developer INTERFACE MULTIPROCESSING_CHECKED)
endif()

# What is many (suites, examples) links this one. README's programs, consumers, plugins, and ThreadSanitizer's suites are
# header-only.
option(MULTIPROCESSING_TEST_COMPILED "Build suites and examples with multiprocessing::compiled" OFF)
add_library(multiprocessing_suites INTERFACE)
target_link_libraries(multiprocessing_suites INTERFACE multiprocessing_developer)
if(MULTIPROCESSING_TEST_COMPILED)
    target_link_libraries(multiprocessing_suites INTERFACE multiprocessing_compiled)
endif()
set_target_properties(multiprocessing_compiled PROPERTIES CXX_EXTENSIONS OFF) # as all targets below
foreach(kind IN ITEMS OPTIONS DEFINITIONS)
    set_property(TARGET multiprocessing_compiled APPEND PROPERTY
                 COMPILE_${kind} $<TARGET_PROPERTY:multiprocessing_developer,INTERFACE_COMPILE_${kind}>)
endforeach()

include(CTest)
if(MULTIPROCESSING_EXAMPLES)
    add_subdirectory(examples)
endif()
if(BUILD_TESTING AND MULTIPROCESSING_TESTS)
    add_subdirectory(tests)
endif()
if(MULTIPROCESSING_BENCHES)
    add_subdirectory(tests/bench)
endif()
