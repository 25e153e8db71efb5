#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Runs a Windows program under Wine, without a display or a debugger for what crashes, in a prefix of the build tree's own.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
export WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES='mscoree,mshtml,winedbg.exe='
export WINEPREFIX="${WINEPREFIX:-$root/build/wine}"
unset DISPLAY || true

# Wine's loader lies at a fixed address, and its heap at a random one behind that: in one of some 4,000 processes, where
# Windows has its shared data, and then that process does not start. So no randomness; or, in a container
# that forbids to go without, no heap there.
if setarch "$(uname -m)" -R true 2>/dev/null; then
    exec setarch "$(uname -m)" -R /usr/lib/wine/wine64 "$@"
fi
export GLIBC_TUNABLES=glibc.malloc.mmap_threshold=0
exec /usr/lib/wine/wine64 "$@"
