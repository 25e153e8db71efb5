# SPDX-License-Identifier: BSL-1.0
# multiprocessing::remote, for programs that include listener.hpp or remote_managers.hpp: keyed digests and TLS come from a
# library.
if(WIN32 OR TARGET OpenSSL::SSL)
    add_library(multiprocessing_remote INTERFACE)
    add_library(multiprocessing::remote ALIAS multiprocessing_remote)
    set_target_properties(multiprocessing_remote PROPERTIES EXPORT_NAME remote)
    target_link_libraries(multiprocessing_remote INTERFACE multiprocessing $<IF:$<BOOL:${WIN32}>,bcrypt,OpenSSL::SSL>)
endif()
