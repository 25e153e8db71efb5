#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# What it costs to compile: user time of the compiler, the best of 5. The peer is the same for the standard headers that
# a program of this kind includes anyway.
#   CXX=clang++-16 tests/bench/compile.sh
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compiler=${CXX:-g++}

# The best user time of: compiler OPTION... FILE
best() {
    best=
    for _ in 1 2 3 4 5; do
        # The shell's own account of its children: hundredths of a second, without another tool.
        time=$(sh -c '"$@" && times' sh "$compiler" -std=c++20 -I "$root/include" "$@" | sed -n '2s/^\([0-9]*\)m\([0-9.]*\)s.*/\1 \2/p' |
            awk '{ print $1 * 60 + $2 }')
        best=$(printf '%s %s\n' "$time" "${best:-$time}" | awk '{ print $1 < $2 ? $1 : $2 }')
    done
    echo "$best"
}

# row MEASURE OURS PEER AT_MOST: seconds, and seconds that are allowed
row() {
    printf '%s\n' "$2 $3 $4" | awk -v measure="$1" '{
        printf "| %s | %.2f s | %.2f s | %.2g | %s s | %s |\n", measure, $1, $2, $1 / $2, $3, $1 <= $3 ? "yes" : "**no**" }'
}

cat >"$folder/standard.cpp" <<'END'
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>
int main() { std::thread([] { std::cout << "hello\n"; }).join(); }
END
echo '#include <multiprocessing/multiprocessing.hpp>' >"$folder/umbrella.cpp"
cat >"$folder/hello_process.cpp" <<'END'
#include <multiprocessing/process.hpp>
#include <multiprocessing/spawn.hpp>
#include <iostream>
#include <string>
namespace mp = multiprocessing;
void hello(const std::string& name) { std::cout << "hello " << name << '\n'; }
int main() {
    mp::freeze_support();
    mp::Process p(hello, "bob");
    p.start();
    p.join();
}
END
standard=$(best -fsyntax-only "$folder/standard.cpp")
row "the umbrella header, -fsyntax-only / a thread that prints, with the headers it needs" \
    "$(best -fsyntax-only "$folder/umbrella.cpp")" "$standard" 1.5
standard=$(best -O1 -c -o "$folder/object" "$folder/standard.cpp")
row "hello_process, -O1 / the same" "$(best -O1 -c -o "$folder/object" "$folder/hello_process.cpp")" "$standard" 4
