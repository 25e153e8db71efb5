# SPDX-License-Identifier: BSL-1.0
# multiprocessing::compiled, in place of multiprocessing::multiprocessing: the same headers, whose bodies that are no
# templates are built once and not in each source. It is built with the options of the project that links it, so an
# install, too, brings its source.
if(TARGET multiprocessing_compiled)
    return()
endif()
add_library(multiprocessing_compiled STATIC EXCLUDE_FROM_ALL "${CMAKE_CURRENT_LIST_DIR}/compiled.cpp")
add_library(multiprocessing::compiled ALIAS multiprocessing_compiled)
target_link_libraries(multiprocessing_compiled PUBLIC multiprocessing::multiprocessing)
target_compile_definitions(multiprocessing_compiled PUBLIC MULTIPROCESSING_COMPILED)
if(MINGW) # a section for each function, of which the usual format has 32,767
    target_compile_options(multiprocessing_compiled PRIVATE -Wa,-mbig-obj)
endif()
set_target_properties(multiprocessing_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON) # plugins link it as well
