#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing of the named groups of packages (Debian, Ubuntu), or says what to install.
#   cmake/install_packages.sh build test clang mingw bench
set -eu

packages=
for group in "$@"; do
    case $group in
        build) packages="$packages g++ cmake ninja-build libboost-dev libssl-dev" ;;
        test) packages="$packages catch2 ccache gdb libpng-dev python3 valgrind" ;;
        clang) packages="$packages clang-16 libclang-rt-16-dev llvm-16 lld-16" ;;
        format) packages="$packages clang-format-16 clang-tidy-16 libboost-dev libssl-dev python3 shellcheck" ;;
        mingw) packages="$packages g++-mingw-w64-x86-64-posix wine64 wine" ;;
        bench) packages="$packages libtbb-dev python3" ;;
        *) echo "install_packages: no group of the name '$group'" >&2; exit 2 ;;
    esac
done

missing=
if command -v dpkg-query >/dev/null 2>&1; then
    for package in $packages; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
            *' installed') ;;
            *) missing="$missing $package" ;;
        esac
    done
else
    echo "install_packages: this is neither Debian nor Ubuntu; needed are the equivalents of:$packages" >&2
    exit 0
fi
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then
        as_root='sudo env DEBIAN_FRONTEND=noninteractive' # sudo passes no environment on
    else
        echo "install_packages: not root and no sudo; please install:$missing" >&2
        exit 1
    fi
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of words is meant
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
