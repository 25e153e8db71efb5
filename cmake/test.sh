#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing, configures, builds and runs every test; prints CTest's summary.
#   cmake/test.sh [PRESET [CTEST_ARGUMENT...]]        presets: gcc (default), clang, asan, tsan, mingw
set -eu
cd "$(dirname -- "$0")/.."

preset=${1:-gcc}
[ $# -eq 0 ] || shift
groups="build test"
case $preset in
    clang | asan) groups="$groups clang" ;;
    mingw) groups="$groups mingw" ;;
esac
# shellcheck disable=SC2086  # a list of words is meant
sh cmake/install_packages.sh $groups

if [ "$preset" = mingw ]; then
    export WINEPREFIX="$PWD/build/wine"
    mkdir -p "$WINEPREFIX"
    wineserver=/usr/lib/wine/wineserver64
    "$wineserver" -k 2>/dev/null || true    # what an earlier run may have left when it was killed
    # Wine's services run from here on until the end. Started by a test, they would keep that test's output open, and
    # CTest would wait for them.
    trap '"$wineserver" -k 2>/dev/null || true' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    "$wineserver" -p3600 </dev/null >/dev/null 2>&1
    # Makes the prefix, once.
    if ! WINEDEBUG=err+all timeout 300 sh cmake/wine.sh wineboot -i </dev/null >"$WINEPREFIX.log" 2>&1; then
        cat "$WINEPREFIX.log" >&2
        echo "test: Wine cannot make its prefix in $WINEPREFIX; remove that folder to begin anew" >&2
        exit 1
    fi
fi
cmake --preset "$preset"
cmake --build --preset "$preset"
status=0
ctest --preset "$preset" "$@" || status=$?
exit $status
