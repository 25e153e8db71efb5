#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
# Runs the server and the client of an example in two networks with one cable between them. Exits with 77, and says why, where
# that is not allowed.
#   two_networks.sh SERVER CLIENT
set -eu

skip() {
    echo "skipped: $1"
    exit 77
}
if [ "${3:-}" != inside ]; then
    for tool in ip nsenter unshare; do
        command -v "$tool" >/dev/null || skip "there is no $tool"
    done
    for options in "-n" "-U -r -n"; do
        # shellcheck disable=SC2086
        if unshare $options true 2>/dev/null; then
            # shellcheck disable=SC2086
            exec unshare $options sh "$0" "$1" "$2" inside
        fi
    done
    skip "this user may make no network namespace"
fi

# The first network is this script's, the second one that of a process that only waits.
unshare -n sleep 60 &
other=$!
trap 'kill "$other" 2>/dev/null' EXIT
tries=0
while [ "$(readlink "/proc/$other/ns/net")" = "$(readlink /proc/self/ns/net)" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || skip "no second network namespace came up"
    sleep 0.1
done
there="nsenter -t $other -n"
ip link add mp-here type veth peer name mp-there netns "$other" 2>/dev/null || skip "this kernel has no veth"
ip address add 10.111.0.1/24 dev mp-here
ip link set mp-here up
$there ip address add 10.111.0.2/24 dev mp-there
$there ip link set mp-there up

said=$("$1" 10.111.0.1 | $there "$2" 10.111.0.1)
echo "$said"
case "$said" in
"hello was done 2 times"*"division by zero") ;;
*) exit 1 ;;
esac
