# SPDX-License-Identifier: Apache-2.0
"""Random sequences of ovs-vsctl and ovs-ofctl on Sluice and on genuine Open vSwitch: the same output,
errors and exit codes, the same contents of the database and of the flow tables after each step.

Hermetic, so that it runs without root.  TOOLS_ROUNDS and TOOLS_SEED make it longer, or repeat a round
that failed; TOOLS_STEPS sets the length of a round.  Known differences: docs/compat.md.
"""
import json
import os
import random
import re

import pytest

from oracle import random_flows, random_match
from switchlib import Hermetic, sh, wait_for

pytestmark = pytest.mark.rootless

ROUNDS = int(os.environ.get("TOOLS_ROUNDS", "3"))
SEED = int(os.environ.get("TOOLS_SEED", "1"))
STEPS = int(os.environ.get("TOOLS_STEPS", "20"))

BRIDGES = ["br0", "br1", "br2"]
PORTS = ["p1", "p2", "p3", "p4", "x5"]
# What is compared of each table: settings, and what the switch writes by itself and at once.
COLUMNS = {
    "Open_vSwitch": "bridges next_cfg cur_cfg datapath_types statistics ssl manager_options datapaths",
    "Bridge": "name datapath_type datapath_version fail_mode protocols ports mirrors controller "
              "flow_tables other_config external_ids stp_enable rstp_enable mcast_snooping_enable "
              "flood_vlans netflow sflow ipfix auto_attach status rstp_status",
    "Port": "name interfaces tag trunks cvlans vlan_mode bond_mode bond_updelay bond_downdelay lacp "
            "qos mac protected fake_bridge other_config external_ids status statistics rstp_status "
            "rstp_statistics",
    "Interface": "name type ofport ofport_request error options other_config external_ids mac "
                 "mtu mtu_request link_state admin_state duplex link_speed ingress_policing_rate "
                 "ingress_policing_burst lldp bfd cfm_mpid status statistics ifindex lacp_current "
                 "bfd_status cfm_fault cfm_fault_status cfm_health",
    "Mirror": "name select_all select_src_port select_dst_port select_vlan output_port output_vlan "
              "snaplen external_ids statistics",
    "Controller": "target connection_mode max_backoff inactivity_probe type other_config is_connected "
                  "role",
    "QoS": "type queues other_config external_ids",
    "Queue": "dscp other_config external_ids",
    "Flow_Table": "name flow_limit overflow_policy groups prefixes external_ids",
    "NetFlow": "targets engine_id engine_type",
    "sFlow": "targets agent header",
    "SSL": "private_key certificate ca_cert bootstrap_ca_cert",
}


class Both:
    def __init__(self):
        self.switches = [Hermetic(kind).start() for kind in ("sluice", "ovs")]

    def run(self, tool, *args, input=None):
        """(status, output, errors) of a tool on both, without what may differ."""
        found = []
        for switch in self.switches:
            p = sh([tool] + list(args), check=False, env=switch.env, input=input)
            found.append((p.returncode, clean(p.stdout, switch), clean(p.stderr, switch)))
        return found

    def close(self):
        for switch in self.switches:
            switch.close()


def clean(text, switch):
    text = text.replace(switch.dir, "RUNDIR")
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"^\d{4}-\d\d-\d\dT[^|]*\|\d+\|", "", text, flags=re.M)
    text = re.sub(r"duration=[\d.]+s|idle_age=\d+|hard_age=\d+|duration_n?sec=\d+",
                  "AGE", text)
    text = re.sub(r"addr:aa:55:aa:55:[0-9a-f:]+", "addr:DUMMY", text)  # counted from the start
    text = re.sub(r'"0000[0-9a-f]{12}"', "DPID", text)  # theirs is random without other ports
    text = text.replace("BUNDLES FLOW_MONITORING", "BUNDLES")
    text = re.sub(r"max_meter:\d+", "max_meter", text)  # theirs is what their datapath holds
    text = re.sub(r"max option space=\d+", "max option space", text)  # compat.md
    text = re.sub(r"\(xid=0x[0-9a-f]+\)", "(xid)", text)
    # A filter for cookie 0 makes theirs show the hidden table.
    return "\n".join(sorted(x for x in text.splitlines() if " table=254," not in x))


def difference(ours, theirs, context):
    """A text for people: what only one side says."""
    ours, theirs = ["\n".join(map(str, x)).splitlines() for x in (ours, theirs)]
    return context + "\nonly here:\n  %s\nonly there:\n  %s" % (
        "\n  ".join(x for x in ours if x not in theirs),
        "\n  ".join(x for x in theirs if x not in ours))


@pytest.fixture(scope="module")
def both():
    pair = Both()
    yield pair
    pair.close()


# --- the database ---------------------------------------------------------------------------

def contents(switch):
    """The tables as sorted texts, with what a UUID points to in its place."""
    rows = {}
    for table, columns in COLUMNS.items():
        out = switch.vsctl("--format=json", "--columns=_uuid," + columns.replace(" ", ","),
                           "list", table)
        reply = json.loads(out)
        for row in reply["data"]:
            record = dict(zip(reply["headings"], row))
            if str(record.get("error", "")).startswith("No usable peer"):
                record["error"] = ["set", []]  # genuine forgets it with the next change
            rows[record.pop("_uuid")[1]] = (table, record)

    def text(value, depth):
        if isinstance(value, list) and value[:1] == ["uuid"]:
            table, record = rows.get(value[1], ("?", {}))
            if "name" in record or depth > 3:
                return "%s:%s" % (table, record.get("name"))
            return row_text(table, record, depth + 1)
        if isinstance(value, list) and value[:1] in (["set"], ["map"]):
            return "{%s}" % ", ".join(sorted(text(v, depth) for v in value[1]))
        if isinstance(value, list):
            return "=".join(text(v, depth) for v in value)
        return json.dumps(value)

    def row_text(table, record, depth=0):
        return table + " " + " ".join("%s=%s" % (k, text(v, depth))
                                      for k, v in sorted(record.items()))

    return sorted(row_text(table, record) for table, record in rows.values())


def vsctl_command(rng):
    """One command, most of the time one that can work."""
    br, port, other = rng.choice(BRIDGES), rng.choice(PORTS), rng.choice(PORTS)
    dummy = ["--", "set", "Interface", port, "type=dummy"]
    value = rng.choice
    commands = [
        ["add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy"],
        ["--may-exist", "add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy"],
        ["add-br", "vlan%d" % rng.randint(1, 2), br, str(rng.randint(0, 4095))],
        ["del-br", value([br, "vlan1", "vlan2"])],
        ["--if-exists", "del-br", br],
        ["add-port", br, port] + dummy,
        ["add-port", br, port] + dummy,
        ["add-port", br, port, "tag=%d" % rng.randint(0, 4097)] + dummy,
        ["--may-exist", "add-port", br, port] + dummy,
        ["add-port", br, port] + dummy + ["ofport_request=%s" % value(["7", "8", "65534", "x", "0"])],
        ["add-port", br, port, "--", "set", "Interface", port, "type=nosuchtype"],
        ["add-port", br, port, "--", "set", "Interface", port, "type=patch",
         "options:peer=" + other],
        ["del-port", port], ["del-port", br, port], ["--if-exists", "del-port", port],
        ["--with-iface", "del-port", port],
        ["add-bond", br, "bond0", port, other, "--", "set", "Interface", port, "type=dummy",
         "ofport_request=21", "--", "set", "Interface", other, "type=dummy", "ofport_request=22"],
        ["list-br"], ["list-ports", br], ["list-ifaces", br], ["br-exists", br], ["br-to-vlan", br],
        ["br-to-parent", br], ["port-to-br", port], ["iface-to-br", port],
        ["set", "Port", port, value(["tag=5", "tag=4096", "trunks=1,2", "trunks=[]", "bogus=1",
                                     "vlan_mode=access", "vlan_mode=nonsense",
                                     "other_config:priority-tags=always", "lacp=active",
                                     "bond_mode=balance-slb", "tag=[1,2]", "protected=true"])],
        ["set", "Interface", port, value(["external-ids:a=b", "mtu_request=%d" % rng.choice(
            [1400, 2000, 60, 10]), "ofport_request=%d" % rng.randint(1, 12), "admin_state=up",
            "options:pcap=x/y", "ingress_policing_rate=1000", "bfd:enable=false", "cfm_mpid=5",
            "lldp:enable=true", "mac=\"02:00:00:00:00:77\"", "other_config:emc-enable=false"])],
        ["set", "Bridge", br, value(["fail_mode=secure", "fail_mode=[]", "fail_mode=wrong",
                                     "other_config:hwaddr=02:00:00:00:01:0%d" % rng.randint(1, 9),
                                     "other_config:datapath-id=00000000000000%02d" %
                                     rng.randint(10, 99), "protocols=OpenFlow10,OpenFlow13",
                                     "protocols=OpenFlow99", "stp_enable=false",
                                     "mcast_snooping_enable=true", "name=other",
                                     "flood_vlans=1,2", "datapath_type=dummy"])],
        ["clear", "Port", port, value(["tag", "trunks", "name", "vlan_mode", "other_config"])],
        ["add", "Port", port, "trunks", str(rng.randint(1, 9))],
        ["remove", "Port", port, "trunks", str(rng.randint(1, 9))],
        ["get", "Interface", port, value(["ofport", "type", "mac_in_use:x", "external_ids:a",
                                          "nosuch", "admin_state", "options"])],
        ["get", "Bridge", br, value(["datapath_id", "fail_mode", "other_config:hwaddr"])],
        ["--id=@m", "create", "Mirror", "name=m%d" % rng.randint(0, 1), "select-all=true", "--",
         "add", "Bridge", br, "mirrors", "@m"],
        ["--id=@p", "get", "Port", port, "--", "--id=@m", "create", "Mirror", "name=mp",
         "select-dst-port=@p", "output-vlan=%d" % rng.randint(1, 9), "--", "set", "Bridge", br,
         "mirrors=@m"],
        ["clear", "Bridge", br, value(["mirrors", "controller", "netflow", "flow_tables"])],
        ["set", "Port", port, "qos=@q", "--", "--id=@q", "create", "QoS", "type=linux-htb",
         "queues:0=@u", "--", "--id=@u", "create", "Queue", "other_config:max-rate=1000000"],
        ["clear", "Port", port, "qos"],
        ["--id=@t", "create", "Flow_Table", "flow_limit=100", "name=first", "--", "set", "Bridge",
         br, "flow_tables:%s=@t" % value(["0", "1", "254", "255"])],
        ["--id=@n", "create", "NetFlow", 'targets="127.0.0.1:2055"', "--", "set", "Bridge", br,
         "netflow=@n"],
        ["set-fail-mode", br, value(["standalone", "secure", "nonsense"])],
        ["get-fail-mode", br], ["del-fail-mode", br],
        ["set-controller", br, value(["tcp:127.0.0.1:1", "unix:nosuch", "none"])],
        ["get-controller", br], ["del-controller", br],
        ["br-set-external-id", br, "k", "v"], ["br-get-external-id", br],
        ["set-ssl", "/k", "/c", "/ca"], ["get-ssl"], ["del-ssl"],
        ["destroy", "Bridge", br], ["--columns=name,ofport", "find", "Interface", "ofport=1"],
        ["emer-reset"],
    ]
    weights = [3 if c[0] in ("add-br", "add-port", "set") else 1 for c in commands]
    return rng.choices(commands, weights)[0]


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_random_vsctl(both, seed):
    rng = random.Random(seed)
    for switch in both.switches:
        switch.vsctl("--", *sum((["--if-exists", "del-br", br, "--"] for br in BRIDGES), []),
                     "clear", "Open_vSwitch", ".", "ssl")
    done = []
    for _ in range(STEPS):
        command = vsctl_command(rng)
        done.append(" ".join(command))
        ours, theirs = both.run("ovs-vsctl", "--timeout=10", *command)
        context = "seed %d, after: %s" % (seed, "\n  ".join(done))
        assert ours == theirs, difference(ours, theirs, context)
        # Statuses follow events of the device, later than the answer, and statistics the clock.
        last = [None, None]
        for switch in both.switches:
            switch.appctl("time/warp", "5000")

        def agree():
            last[:] = [contents(switch) for switch in both.switches]
            return last[0] == last[1]

        try:
            wait_for(agree, 8)
        except AssertionError:
            assert last[0] == last[1], difference(*last, context)


# --- OpenFlow -------------------------------------------------------------------------------

GROUPS = ["group_id=%d,type=all,bucket=output:1,bucket=output:2",
          "group_id=1%d,type=indirect,bucket=output:2",
          "group_id=%d,type=select,bucket=weight:1,output:1,bucket=weight:3,output:2",
          "group_id=%d,type=select,selection_method=hash,fields(ip_src),bucket=output:3",
          "group_id=%d,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2",
          "group_id=1%d,type=indirect,bucket=output:1,bucket=output:2",
          "group_id=%d,type=all"]
METERS = ["meter=%d,kbps,band=type=drop,rate=100", "meter=%d,pktps,burst,band=type=drop,rate=10,"
          "burst_size=5",
          "meter=%d,kbps,stats,bands=type=drop,rate=0"]


def ofctl_command(rng):
    """(arguments, standard input or None)."""
    n = rng.randint(1, 4)
    table = rng.choice([0, 0, 1, 2, 253, 254, 255])
    match = ",".join(random_match(rng)[0] or ["in_port=%d" % n])
    cookie = "cookie=%#x/%s" % (rng.randint(0, 3), rng.choice(["-1", "1", "0"]))
    action = rng.choice(["output:1", "drop", "NORMAL", "resubmit(,3)", "group:%d" % n, "goto_table:3",
                         "meter:%d,output:1" % n, "write_actions(output:2)", "clear_actions",
                         "set_field:5->reg0", "load:1->NXM_NX_REG0[]", "learn(table=9,in_port=1)",
                         "controller", "note:00", "mod_vlan_vid:7,LOCAL", "enqueue:1:2",
                         "write_metadata:0x5", "output:60000", "push_vlan:0x8100,output:1"])
    # A target that is not there is an error of ours even where no flow would be changed.
    change = "output:2" if action[:5] in ("group", "meter") else action
    flow = "table=%d,priority=%d,cookie=%d,%s" % (table, rng.choice([1, 100, 65535]),
                                                  rng.randint(0, 3), match)
    version = rng.choice([[], [], ["-OOpenFlow13"], ["-OOpenFlow14"], ["-OOpenFlow15"]])
    many = "\n".join(random_flows(rng, rng.choice([2, 8])))
    options = ",".join(rng.sample(["idle_timeout=5000", "hard_timeout=6000", "send_flow_rem",
                                   "check_overlap", "reset_counts", "no_packet_counts"],
                                  rng.choice([0, 0, 1, 2])))
    flow += "," + options if options else ""
    commands = [
        (["add-flow", "br0", flow + ",actions=" + action], None),
        (["add-flow", "br0", flow + ",actions=" + action], None),
        (["add-flow", "br0", flow + ",actions=" + action], None),
        (["mod-flows", "br0", match + ",actions=" + change], None),
        (["--strict", "mod-flows", "br0", flow.split(",cookie")[0] + "," + match + ",actions=" +
          change], None),
        (["mod-flows", "br0", cookie + ",actions=" + change], None),
        (["del-flows", "br0", match], None), (["del-flows", "br0", cookie], None),
        (["--strict", "del-flows", "br0", "priority=100," + match], None),
        (["del-flows", "br0", "table=%d" % table], None),
        (["del-flows", "br0", "out_port=%d" % n], None),
        (["add-flows", "br0", "-"], many), (["--bundle", "add-flows", "br0", "-"], many),
        (["replace-flows", "br0", "-"], many), (["diff-flows", "br0", "-"], many),
        (["--bundle", "replace-flows", "br0", "-"], many),
        (["dump-aggregate", "br0", match], None), (["dump-flows", "br0", cookie], None),
        (["dump-flows", "br0", "out_port=1"], None), (["dump-flows", "br0", match], None),
        (["dump-tables", "br0"], None), (["show", "br0"], None), (["get-frags", "br0"], None),
        (["set-frags", "br0", rng.choice(["normal", "drop", "nx-match", "reassemble"])], None),
        (["-OOpenFlow13", "dump-ports", "br0", rng.choice(["1", "p2", "99", "LOCAL"])], None),
        (["dump-ports-desc", "br0"], None), (["dump-desc", "br0"], None),
        (["mod-port", "br0", "p%d" % n, rng.choice(["no-flood", "flood", "down", "up", "no-receive",
                                                    "receive", "no-packet-in"])], None),
        (["probe", "br0"], None), (["ping", "nosuch"], None), (["show", "br9"], None),
        (["-OOpenFlow13", "add-group", "br0", rng.choice(GROUPS) % n], None),
        (["-OOpenFlow15", "add-group", "br0", rng.choice(GROUPS) % n], None),
        (["-OOpenFlow13", "mod-group", "br0", rng.choice(GROUPS) % n], None),
        (["-OOpenFlow13", "--may-create", "mod-group", "br0", rng.choice(GROUPS) % n], None),
        (["-OOpenFlow13", "del-groups", "br0", rng.choice(["", "group_id=%d" % n])], None),
        (["-OOpenFlow15", "insert-buckets", "br0", "group_id=%d,command_bucket_id=last,"
          "bucket=bucket_id:%d,output:3" % (n, rng.randint(0, 9))], None),
        (["-OOpenFlow15", "remove-buckets", "br0", "group_id=%d,command_bucket_id=%s" % (
            n, rng.choice(["first", "all", "1"]))], None),
        (["-OOpenFlow13", "add-meter", "br0", rng.choice(METERS) % n], None),
        (["-OOpenFlow13", "mod-meter", "br0", rng.choice(METERS) % n], None),
        (["-OOpenFlow13", "del-meter", "br0", "meter=%d" % n], None),
        (["-OOpenFlow13", "group-features", "br0"], None),
        (["-OOpenFlow13", "meter-features", "br0"], None),
        (["-OOpenFlow14", "dump-table-desc", "br0"], None),
        (["add-tlv-map", "br0", "{class=0x102,type=%d,len=4}->tun_metadata%d" % (n, n)], None),
        (["del-tlv-map", "br0"], None), (["dump-tlv-map", "br0"], None),
        (["dump-ipfix-bridge", "br0"], None),
    ]
    args, text = rng.choice(commands)
    return (args if any(a.startswith("-O") for a in args) else version + args), text


def tables(both):
    """What both switches say of flows, groups and meters, or None while they are not asked."""
    for args in (["--no-stats", "-OOpenFlow15", "dump-flows", "br0"],
                 ["-OOpenFlow15", "dump-groups", "br0"], ["-OOpenFlow15", "dump-meters", "br0"],
                 ["-OOpenFlow13", "dump-group-stats", "br0"]):
        yield args, both.run("ovs-ofctl", *args)


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_random_ofctl(both, seed):
    rng = random.Random(1000 + seed)
    for switch in both.switches:
        switch.vsctl("--", *sum((["--if-exists", "del-br", br, "--"] for br in BRIDGES), []),
                     "clear", "Open_vSwitch", ".", "ssl")
        switch.vsctl("add-br", "br0", "--", "set", "Bridge", "br0", "datapath_type=dummy",
                     "fail_mode=secure", "other_config:hwaddr=02:00:00:00:00:aa")
        for i in range(1, 5):
            switch.vsctl("add-port", "br0", "p%d" % i, "--", "set", "Interface", "p%d" % i,
                         "type=dummy", "ofport_request=%d" % i, 'mac="02:00:00:00:00:0%d"' % i)
    done = []
    for _ in range(STEPS):
        args, text = ofctl_command(rng)
        done.append(" ".join(args) + (" <<\n" + text if text else ""))
        ours, theirs = both.run("ovs-ofctl", *args, input=text)
        context = "seed %d, after: %s" % (seed, "\n  ".join(done))
        assert ours == theirs, difference(ours, theirs, context)
        for args, (ours, theirs) in tables(both):
            assert ours == theirs, difference(ours, theirs, context + "\n" + " ".join(args))


# --- what traffic leaves in the database ------------------------------------------------------

WRITTEN = {  # columns that the switch writes, of rows with the same names on both
    "Interface": "statistics status link_state admin_state link_speed duplex mtu mac_in_use ifindex error ofport "
                 "lacp_current bfd_status cfm_fault",
    "Port": "statistics status bond_active_slave rstp_status rstp_statistics",
    "Bridge": "datapath_id datapath_version status rstp_status",
    "Mirror": "statistics",
    "Open_vSwitch": "cur_cfg next_cfg datapath_types statistics",
}
TYPES = {"p1": "dummy", "p2": "dummy", "i1": "internal", "t1": "tap", "s1": "system", "d1": "dummy-pmd",
         "b1": "dummy", "b2": "dummy"}


def written(switch):
    switch.appctl("revalidator/wait")
    switch.appctl("time/warp", "6000")
    found = {}
    for table, columns in WRITTEN.items():
        out = switch.vsctl("--format=json", "--columns=_uuid,%s%s" % (
            "name," if table != "Open_vSwitch" else "", columns.replace(" ", ",")), "list", table)
        reply = json.loads(out)
        for row in reply["data"]:
            record = dict(zip(reply["headings"], row))
            record.pop("_uuid")
            name = record.pop("name", ".")
            for column, value in record.items():
                if isinstance(value, list) and value[0] == "map":
                    value = dict(map(tuple, value[1]))
                found[table, name, column] = value
    macs = {}  # random, or counted from the start
    for name in [*TYPES, "x1", "x2"]:
        macs[str(found.pop(("Interface", name, "mac_in_use")))] = name
    found = {key: macs.get(str(value), value) if key[2] == "bond_active_slave" else value for key, value in found.items()}
    return found


def frame(rng):
    macs = ["02000000000%d" % i for i in range(1, 5)]
    tag = rng.choice(["", "", "81000005", "88a80006"])
    return (rng.choice(macs + ["ffffffffffff", "01005e000001", "0180c2000000"]) + rng.choice(macs) + tag + "88b5" +
            "00" * rng.choice([0, 46, 100, 1400]))


@pytest.mark.parametrize("seed", range(SEED, SEED + ROUNDS))
def test_what_traffic_leaves_in_the_database(both, seed):
    rng = random.Random(2000 + seed)
    for switch in both.switches:
        switch.vsctl("--", *sum((["--if-exists", "del-br", br, "--"] for br in BRIDGES), []),
                     "clear", "Open_vSwitch", ".", "ssl")
        for n, br in enumerate(("br0", "br1")):
            switch.vsctl("add-br", br, "--", "set", "Bridge", br, "datapath_type=dummy",
                         "other_config:hwaddr=02:00:00:00:0%d:aa" % n)
        for n, (name, kind) in enumerate(TYPES.items(), 1):
            # A bond has its members at once.
            add = (["add-bond", "br0", "bo", "b1", "b2", "other_config:bond-primary=b1"] if name == "b1" else
                   ["add-port", "br0", name] if name != "b2" else ["get", "Port", "bo", "name"])
            if name == "b1":
                add += ["--", "set", "Interface", "b2", "type=dummy", "ofport_request=8", 'mac="02:00:00:00:01:08"']
            switch.vsctl(*add, "--", "set", "Interface", name, "type=" + kind, "ofport_request=%d" % n,
                         'mac="02:00:00:00:01:0%d"' % n)
        for br, name, peer in (("br0", "x1", "x2"), ("br1", "x2", "x1")):
            switch.vsctl("add-port", br, name, "--", "set", "Interface", name, "type=patch", "options:peer=" + peer)
        switch.vsctl("set", "Port", "t1", "tag=5", "--", "set", "Interface", "d1", "options:n_rxq=2",
                     "--", "set", "Bridge", "br0", "mirrors=@m", "--", "--id=@i", "get", "Port", "p1",
                     "--", "--id=@o", "get", "Port", "s1",
                     "--", "--id=@m", "create", "Mirror", "name=m", "select-src-port=@i", "output-port=@o")
        switch.ofctl("add-flow", "br0", "priority=9,in_port=2,dl_dst=02:00:00:00:00:03,actions=drop")
        switch.ofctl("add-flow", "br0", "priority=8,in_port=2,vlan_tci=0,actions=in_port,1,strip_vlan,LOCAL")
    for step in range(STEPS):
        port = rng.choice(["p1", "p2", "i1", "t1", "b1", "b2", "br1"])
        what = rng.choice([["netdev-dummy/receive", port, frame(rng)]] * 8 + [
            ["netdev-dummy/set-admin-state", "p2", rng.choice(["up", "down"])]])
        found = [switch.control() for switch in both.switches]
        answers = [c.run(*what) for c in found]
        for c in found:
            c.close()
        assert answers[0] == answers[1], what
        if step % 5 == 4:
            last = [None, None]

            def agree(last=last):
                last[:] = [written(switch) for switch in both.switches]
                return last[0] == last[1]

            try:
                wait_for(agree, 8)
            except AssertionError:
                assert last[0] == last[1], "seed %d: %s" % (seed, [
                    (key, last[0].get(key), last[1].get(key)) for key in {**last[0], **last[1]}
                    if last[0].get(key) != last[1].get(key)])
