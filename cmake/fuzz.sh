#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Feeds the decoders of what comes from elsewhere with what libFuzzer makes up: each for SECONDS, two at a time.
#   cmake/fuzz.sh [SECONDS [TARGET...]]      default: 60 frames handshake loads remote_requests shareable_list
set -eu
cd "$(dirname -- "$0")/.."

seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- frames handshake loads remote_requests shareable_list
sh cmake/install_packages.sh build test clang
cmake --preset clang >/dev/null
targets=
for name in "$@"; do targets="$targets fuzz_$name libfuzzer_$name"; done
# shellcheck disable=SC2086  # a list of words is meant
cmake --build --preset clang --target $targets
cd build/clang
printf '%s\n' "$@" | xargs -P 2 -I NAME sh -c '
    mkdir -p fuzz/NAME && bin/fuzz_NAME --write fuzz/NAME &&
    bin/libfuzzer_NAME -max_total_time='"$seconds"' -rss_limit_mb=2048 -print_final_stats=1 fuzz/NAME >fuzz/NAME.log 2>&1 ||
    { tail -40 fuzz/NAME.log; echo "fuzz: NAME failed; its input lies in $PWD" >&2; exit 255; }
    echo "fuzz: NAME, $(sed -n "s/^stat::number_of_executed_units: //p" fuzz/NAME.log) inputs in '"$seconds"' s: nothing found"'
