#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Installs what is missing and looks at the text of the project: its format, its layers, its includes, its scripts; and at the
# umbrella through the eyes of clang-tidy.
#   cmake/lint.sh [--fix]        --fix formats the sources in place
set -eu
cd "$(dirname -- "$0")/.."

sh cmake/install_packages.sh format
status=0
mkdir -p build
sources() { find include tests examples -name '*.[ch]pp'; }
if [ "${1:-}" = --fix ]; then
    sources | xargs clang-format-16 -i
fi
# Not by --dry-run, which complains about the comment behind an inline namespace and changes nothing there.
sources | while read -r file; do
    clang-format-16 "$file" | cmp -s "$file" - || echo "$file"
done >build/lint.unformatted
if [ -s build/lint.unformatted ]; then
    echo "lint: not formatted; run cmake/lint.sh --fix:" >&2
    cat build/lint.unformatted >&2
    status=1
fi
# A comment that has its line for itself.
if find include -name '*.hpp' -exec awk 'length > 100 && /^ *\/\// && !/<SynchronizedArray wrapper/ { print FILENAME ": " $0; found = 1 }
                                         END { exit found }' {} +; then :; else
    echo "lint: comments have at most 100 columns" >&2
    status=1
fi
python3 -B tests/layering/check.py . || status=1
python3 -B cmake/includes.py . || status=1
find .ci/run cmake tests examples \( -name run -o -name '*.sh' \) -print0 | xargs -0 shellcheck -S warning || status=1
clang-tidy-16 --quiet cmake/compiled.cpp -- -std=c++20 -I include 2>build/lint.tidy >&2 || { cat build/lint.tidy >&2; status=1; }
exit $status
