#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Prints what each thread of a process and of its descendants waits for; with stacks where gdb is at hand.
#   who_waits.sh PID
exec >&2
echo "WATCHDOG: no end in sight; who waits for what:"
describe() {
    echo "== process $1 $(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null)"
    for task in /proc/"$1"/task/*; do
        echo "   thread ${task##*/} $(cat "$task/comm") state $(sed 's/.*) \(.\).*/\1/' "$task/stat")" \
             "in $(cat "$task/wchan" 2>/dev/null) syscall $(cat "$task/syscall" 2>/dev/null)"
    done
    if command -v gdb >/dev/null 2>&1; then
        gdb -p "$1" -batch -nx -ex 'thread apply all bt 25' 2>/dev/null | grep -E '^(#|Thread)' | cut -c1-200
    fi
    for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
        [ "$child" = $$ ] || describe "$child"
    done
}
describe "$1"
