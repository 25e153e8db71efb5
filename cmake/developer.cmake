# What only the developers of the library need: warnings, sanitizers, tests, examples, benches.
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
target_compile_options(
    multiprocessing_developer
    INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
)
if(MULTIPROCESSING_SANITIZE)
    set(sanitize -fsanitize=${MULTIPROCESSING_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_compile_options(multiprocessing_developer INTERFACE ${sanitize})
    # g++ 12 takes instrumented code of <regex>, which Catch2 includes, for a use of uninitialised memory.
    target_compile_options(multiprocessing_developer INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(multiprocessing_developer INTERFACE ${sanitize})
endif()
option(MULTIPROCESSING_CHECKED "Build the library with costly checks of its own" OFF)
if(MULTIPROCESSING_CHECKED)
    target_compile_definitions(multiprocessing_developer INTERFACE MULTIPROCESSING_CHECKED)
endif()

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
