#!/bin/sh
# Installs what is missing and looks at the text of the project: its format, its layers, its scripts.
#   cmake/lint.sh [--fix]        --fix formats the sources in place
set -eu
cd "$(dirname -- "$0")/.."

sh cmake/install_packages.sh format
status=0
for file in $(find include tests examples -name '*.[ch]pp'); do
    if [ "${1:-}" = --fix ]; then
        clang-format-16 -i "$file"
    # Not by --dry-run, which complains about the comment behind an inline namespace and changes nothing there.
    elif ! clang-format-16 "$file" | cmp -s "$file" -; then
        echo "lint: $file is not formatted: run cmake/lint.sh --fix" >&2
        status=1
    fi
done
python3 -B tests/layering/check.py . || status=1
# shellcheck disable=SC2046  # a list of words is meant
shellcheck -S warning .ci/run $(find cmake tests examples -name '*.sh') || status=1
exit $status
