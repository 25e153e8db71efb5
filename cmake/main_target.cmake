# SPDX-License-Identifier: BSL-1.0
# multiprocessing::main, for programs that do not own main(): a source that is compiled into them and a
# linker option that enters freeze_support() before the real main.
add_library(multiprocessing_main INTERFACE)
add_library(multiprocessing::main ALIAS multiprocessing_main)
set_target_properties(multiprocessing_main PROPERTIES EXPORT_NAME main)
target_link_libraries(multiprocessing_main INTERFACE multiprocessing)
target_sources(
    multiprocessing_main
    INTERFACE
        "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/cmake/wrap_main.cpp>"
        "$<INSTALL_INTERFACE:share/multiprocessing/wrap_main.cpp>"
)
target_link_options(multiprocessing_main INTERFACE LINKER:--wrap=main)
