#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing, builds the benches and runs them; prints one table (Markdown) of ratios to peers that are
# measured in the same run. Where it says "no" the machine may have been busy: run it again.
#   cmake/bench.sh [SUBJECT...]      start map pool shared archive queues pipes managers rest remote compile (default: all)
set -eu
cd "$(dirname -- "$0")/.."

[ $# -gt 0 ] || set -- start map pool shared archive queues pipes managers rest remote compile
sh cmake/install_packages.sh build bench >&2
{
    cmake --preset release -DMULTIPROCESSING_BENCHES=ON
    cmake --build --preset release --target benches
} >&2

echo '| measure | ours | peer | ratio | at most | reached |'
echo '|---|---|---|---|---|---|'
for subject in "$@"; do
    if [ "$subject" = compile ]; then
        sh tests/bench/compile.sh
    else
        "build/release/bin/bench_$subject"
    fi
done
