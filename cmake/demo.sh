#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing, builds the examples at full speed, and runs `checksums` over every file below FOLDER.
#   cmake/demo.sh [--list] [FOLDER]        FOLDER: /usr/include, if none is given; --list: see `checksums --help`
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

# What is said on the way goes to standard error: standard output belongs to the program.
{
    sh "$root/cmake/install_packages.sh" build
    (cd "$root" && cmake --preset demo && cmake --build --preset demo --target checksums)
} >&2
exec "$root/build/demo/bin/checksums" "$@"
