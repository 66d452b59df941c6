#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make demo: starts Sluice on its embedded database, in a run directory and a network namespace of
# its own, joins hosts (namespaces) to it, shows traffic, flows and statistics with the stock tools,
# and cleans up.  Ends with "demo: ok", or with "demo: FAILED" and status 1.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
sluiced=${SLUICED:-$root/build/src/sluiced}
id=sd$$
dir=$(mktemp -d)
export OVS_RUNDIR=$dir OVS_DBDIR=$dir OVS_LOGDIR=$dir OVS_SYSCONFDIR=$dir
hosts=()

cleanup() {
    local status=$?
    set +e
    if [ -s "$dir/ovs-vswitchd.pid" ]; then
        pid=$(cat "$dir/ovs-vswitchd.pid")
        ovs-appctl -T 5 exit 2>/dev/null || kill -9 "$pid" 2>/dev/null
    fi
    for pid in "$dir"/*.pid; do
        [ ! -s "$pid" ] || kill -9 "$(tr -d '\0' < "$pid")" 2>/dev/null
    done
    for h in "${hosts[@]}"; do ip netns del "$id-$h" 2>/dev/null; done
    ip netns del "$id" 2>/dev/null
    if [ $status -ne 0 ]; then
        echo "--- the last lines of the log"
        tail -20 "$dir/ovs-vswitchd.log" 2>/dev/null
        echo "demo: FAILED"
    fi
    rm -rf "$dir"
    exit $status
}
trap cleanup EXIT
trap 'exit 1' INT TERM

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
run() {
    printf '$ %s\n' "$*"
    "$@"
}
in_ns() { ip netns exec "$id-$1" "${@:2}"; }

# add_host NAME PORT ADDRESS BRIDGE [ovs-vsctl words for the port]
add_host() {
    ip netns add "$id-$1"
    hosts+=("$1")
    ip -n "$id" link add "$2" type veth peer name eth0 netns "$id-$1"
    ip netns exec "$id" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
    ip -n "$id" link set "$2" up
    ip -n "$id-$1" addr add "$3" dev eth0
    ip -n "$id-$1" link set lo up
    ip -n "$id-$1" link set eth0 up
    run ovs-vsctl add-port "$4" "$2" "${@:5}"
}

# start_guest N ADDRESS: returns when a shell answers.  One more try: emulated boots fail now and then.
start_guest() {
    for _ in 1 2; do
        GUEST=$guest "$root/tests/vm/run-guest" -i "$1" -u "$dir/vm$1.sock" -a "$2" -m 96 -T 120 \
            -s "$dir/vm$1.ctl" -p "$dir/vm$1.pid" > "$dir/vm$1.console" 2>&1 &
        if WAIT=10 LIMIT=40 in_vm "$1" true; then return; fi
        kill -9 "$(cat "$dir/vm$1.pid")" 2>/dev/null || true
    done
    cat "$dir/vm$1.console"
    return 1
}
in_vm() { "$root/tests/vm/guest-sh" "$dir/vm$1.ctl" "${@:2}"; }

say "A switch on its own database: no ovsdb-server, no NIC, no huge pages"
ip netns add "$id"
ip -n "$id" link set lo up
ip netns exec "$id" "$sluiced" --pidfile --detach --no-chdir --log-file -vconsole:off
run ovs-appctl version
run ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev

say "Two hosts, and NORMAL forwarding between them"
add_host a p1 10.1.0.1/24 br0
add_host b p2 10.1.0.2/24 br0
run ovs-vsctl show
in_ns a ping -c 3 -i 0.2 -W 2 10.1.0.2
run ovs-appctl fdb/show br0
run ovs-ofctl dump-flows br0

say "The host itself, by the bridge's local port"
ip netns exec "$id" ip addr add 10.1.0.254/24 dev br0
ip netns exec "$id" ip link set br0 up
in_ns a ping -c 2 -i 0.2 -W 2 10.1.0.254

say "A flow that drops what comes from port 2; a barrier means the very next packet"
run ovs-ofctl add-flow br0 priority=10,in_port=2,actions=drop
if in_ns b ping -q -c 2 -i 0.2 -W 1 10.1.0.1 >/dev/null; then echo "not dropped"; exit 1; fi
run ovs-ofctl dump-flows br0
run ovs-ofctl del-flows br0 in_port=2
in_ns b ping -q -c 2 -i 0.2 -W 2 10.1.0.1
run ovs-appctl ofproto/trace br0 in_port=1,icmp,nw_src=10.1.0.1,nw_dst=10.1.0.2

say "VLANs: c in 10 and d in 20 do not meet; moved together, they do"
add_host c p3 10.2.0.1/24 br0 tag=10
add_host d p4 10.2.0.2/24 br0 tag=20
if in_ns c ping -q -c 2 -i 0.2 -W 1 10.2.0.2 >/dev/null; then echo "VLANs leak"; exit 1; fi
run ovs-vsctl set port p4 tag=10
in_ns c ping -c 2 -i 0.2 -W 2 10.2.0.2

say "Throughput between two namespaces (TCP, 3 s)"
in_ns b iperf3 -s -1 -D --logfile "$dir/iperf3.log" --pidfile "$dir/iperf3.pid"
sleep 0.5
in_ns a iperf3 -c 10.1.0.2 -t 3 -f m | grep -E 'sender|receiver'

say "DPDK ports: a packet generator (net_pcap) to a sink (net_null) through a PMD thread"
"$root/tests/lib/make-pcap" --flows 100 "$dir/f100.pcap"
run ovs-vsctl add-br br1 -- set bridge br1 datapath_type=netdev fail_mode=secure
run ovs-vsctl add-port br1 gen -- set interface gen type=dpdk \
    "options:dpdk-devargs=net_pcap0,rx_pcap=$dir/f100.pcap,infinite_rx=1"
run ovs-vsctl add-port br1 sink -- set interface sink type=dpdk \
    options:dpdk-devargs=net_null0,no-rx=1
run ovs-ofctl add-flow br1 in_port=gen,udp,actions=sink
ovs-appctl dpif-netdev/pmd-stats-clear
sleep 2
run ovs-appctl dpif-netdev/pmd-stats-show
run ovs-appctl dpctl/dump-flows
run ovs-ofctl dump-ports br1

run ovs-vsctl del-br br1

say "Two virtual machines on vhost-user ports (QEMU emulates: this is no measurement)"
guest=$root/build/guest
[ -f "$guest/version" ] ||
    "$root/tests/vm/build-guest" -o "$guest" -p linux-image-cloud-amd64 -b iperf3 -b ethtool
for n in 1 2; do
    run ovs-vsctl add-port br0 "vm$n" -- set interface "vm$n" type=dpdkvhostuserclient \
        "options:vhost-server-path=$dir/vm$n.sock"
    start_guest $n "10.1.0.1$n/24"
done
in_vm 1 ping -c 3 -i 0.2 -W 2 10.1.0.12
in_vm 2 ping -c 2 -i 0.2 -W 2 10.1.0.1
run ovs-vsctl get interface vm1 status link_state

say "Statistics in the database"
sleep 5
run ovs-vsctl get interface p1 statistics

say "Everything is left as it was"
pid=$(cat "$dir/ovs-vswitchd.pid")
run ovs-appctl exit
for _ in $(seq 40); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
[ ! -e "$dir/db.sock" ] || { echo "the database socket is still there"; exit 1; }
echo
echo "demo: ok"
