#!/bin/sh
# Runs a Windows program under Wine, without a display, in a prefix of the build tree's own.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
export WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
export WINEPREFIX="${WINEPREFIX:-$root/build/wine}"
unset DISPLAY || true
exec /usr/lib/wine/wine64 "$@"
