# SPDX-License-Identifier: BSL-1.0
# Reads the version from its one home, version.hpp.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../include/multiprocessing/version.hpp" lines
     REGEX "#define MULTIPROCESSING_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
list(TRANSFORM lines REPLACE ".* ([0-9]+)$" "\\1")
list(JOIN lines "." multiprocessing_version)
