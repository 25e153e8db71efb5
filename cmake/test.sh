#!/bin/sh
# Installs what is missing, configures, builds and runs every test; prints CTest's summary.
#   cmake/test.sh [PRESET [CTEST_ARGUMENT...]]        presets: gcc (default), clang, asan, tsan, mingw
set -eu
cd "$(dirname -- "$0")/.."

preset=${1:-gcc}
[ $# -eq 0 ] || shift
groups="build test"
case $preset in
    clang) groups="$groups clang" ;;
    mingw) groups="$groups mingw" ;;
esac
# shellcheck disable=SC2086  # a list of words is meant
sh cmake/install_packages.sh $groups

if [ "$preset" = mingw ]; then
    export WINEPREFIX="$PWD/build/wine"
    mkdir -p "$WINEPREFIX"
    # Wine's services run from here on until the end. Started by a test, they would keep that test's output open, and
    # CTest would wait for them.
    /usr/lib/wine/wineserver64 -p600 </dev/null >/dev/null 2>&1
    trap '/usr/lib/wine/wineserver64 -k' EXIT
    sh cmake/wine.sh wineboot -i </dev/null >/dev/null 2>&1    # makes the prefix, once
fi
cmake --preset "$preset"
cmake --build --preset "$preset"
status=0
ctest --preset "$preset" "$@" || status=$?
exit $status
