"""A node does the machine that it lives on no harm: router advertisements go on being heard, other people's forward chains stay theirs
and let us through, and `sixpn-node leave` puts every setting back, whenever the daemon or leave itself was killed."""
import os
import random
import shutil
import signal
import struct
import subprocess
import time

from fixture.cell import BIN
from fixture.cluster import Skip, wait_until
from fixture.packet import Capture, Wire, ICMP6, ipv6, probe, token, with_checksum
from test_leave import is_clean as is_clean_but_for

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
NODE_ARGS = ("--repair_interval_ms", "1000")
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
ALL_NODES = bytes.fromhex("333300000001")
CHAIN = "add chain ip6 filter FORWARD { type filter hook forward priority 0 ; policy drop ; }"
VOLATILE = ("nf_conntrack_count",)


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


def settings(cell):
    """Everything below /proc/sys/net, as name -> value."""
    lines = cell.run("sh", "-c", "cd /proc/sys/net && grep -rs '' . ; true").stdout.splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    return {name: value for name, value in found.items() if not name.endswith(VOLATILE)}


def difference(before, after):
    return {name: (before.get(name), after.get(name)) for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def away(lab, name):
    """Stopped, and everything taken off the machine."""
    cell = lab.nodes[name]
    if cell.pids_of("sixpn-node"):
        lab.stop_node(name)
    done = cell.run(BIN / "sixpn-node", "leave", "--name", name)
    assert done.returncode == 0, done.stderr


def back(lab, name, *args):
    lab.start_node(name, *args)
    wait_until(lambda: lab.answers(name) and lab.node_status(name)["sync"]["synced"], 15, f"{name} is back")
    lab.settle()


def pings(lab, seconds=15):
    """From the other machine to this one's instance."""
    here, there = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    try:
        wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, seconds, "a reply")
    except TimeoutError:
        return False
    return True


# ---- settings

def test_every_setting_is_put_back(lab):
    """Also those that only follow from ours: a device that forwarded before us goes on forwarding."""
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    virgin, now = settings(lab.controller), settings(cell)  # in the controller's machine no node ever ran
    assert not {n: (virgin[n], now[n]) for n in virgin.keys() & now.keys() if virgin[n] != now[n]}
    cell.out("sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=1", "net.ipv6.conf.eth0.accept_ra=0")
    before = settings(cell)
    back(lab, "nrt-1")
    during = difference(before, settings(cell))
    assert "./ipv6/conf/all/forwarding" in during and "./ipv6/fwmark_reflect" in during
    away(lab, "nrt-1")
    wait_until(lambda: not difference(before, settings(cell)), 5, f"as before: {difference(before, settings(cell))}")
    cell.out("sysctl", "-qw", "net.ipv6.conf.eth0.forwarding=0", "net.ipv6.conf.eth0.accept_ra=1")
    print(f"   {len(before)} settings compared, {len(during)} differed meanwhile")


def killed_after(cell, milliseconds, *argv):
    process = cell.popen(*argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(milliseconds / 1000)
    try:
        cell.signal("sixpn-node", signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended between the look and the kill
    process.wait()


def test_a_crash_in_the_middle_of_start_or_leave_is_mended_by_the_next_leave(lab):
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    before = settings(cell)
    node = (BIN / "sixpn-node", "--name", "nrt-1", *NODE_ARGS)
    for _ in range(12):
        for _ in range(random.randrange(3)):
            killed_after(cell, random.uniform(2, 150), *node)
        for _ in range(random.randrange(3)):
            killed_after(cell, random.uniform(2, 120), node[0], "leave", *node[1:3])
    away(lab, "nrt-1")
    wait_until(lambda: not difference(before, settings(cell)), 5, f"as before: {difference(before, settings(cell))}")
    off = [line for line in cell.out("sysctl", "net.ipv6.fwmark_reflect", "net.ipv4.tcp_fwmark_accept", "net.ipv6.conf.all.forwarding",
                                     "net.ipv6.conf.eth0.forwarding").splitlines()]
    wait_until(lambda: not is_clean_but_for(cell, off), 5, f"clean: {is_clean_but_for(cell, off)}")


# ---- router advertisements

def advertise(lab, lifetime):
    """From the controller's machine, by hand."""
    source = lab.controller.out("sh", "-c", "ip -6 -o addr show dev eth0 scope link | awk '{print $4}'").split("/")[0]
    body = with_checksum(source, "ff02::1", ICMP6, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0), 2)
    packet = bytearray(ipv6(source, "ff02::1", ICMP6, body))
    packet[7] = 255
    wire = Wire(lab.controller, "eth0")
    wire.send(bytes(packet), ALL_NODES)
    wire.close()


def default_lifetime(cell):
    """Seconds that the default route from an advertisement has left; 0 = there is none."""
    words = cell.out("ip", "-6", "route", "show", "default", "proto", "ra").split()
    return int(words[words.index("expires") + 1].removesuffix("sec")) if "expires" in words else 0


def test_a_machine_that_lives_from_router_advertisements_goes_on_doing_so(lab):
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    before = settings(cell)

    def hears(lifetime):
        advertise(lab, lifetime)
        return lifetime - 60 < default_lifetime(cell) <= lifetime

    wait_until(lambda: hears(1800), 10, "a default route before the node")
    back(lab, "nrt-1")
    assert cell.out("sysctl", "-n", "net.ipv6.conf.all.forwarding") == "1"
    assert cell.out("sysctl", "-n", "net.ipv6.conf.eth0.accept_ra") == "2"
    wait_until(lambda: hears(5400), 10, "advertisements are still heard")
    cell.out("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=1")  # a network manager does
    wait_until(lambda: cell.out("sysctl", "-n", "net.ipv6.conf.eth0.accept_ra") == "2", 15, "put right")
    wait_until(lambda: hears(7200), 10, "advertisements are heard again")
    away(lab, "nrt-1")
    wait_until(lambda: not difference(before, settings(cell)), 5, f"as before: {difference(before, settings(cell))}")
    wait_until(lambda: hears(9000), 10, "advertisements are heard without the node")
    advertise(lab, 0)
    back(lab, "nrt-1")


def test_what_an_uplink_is_told_not_to_hear_it_does_not_hear(lab):
    """accept_ra = 0: somebody in user space reads them, or nobody is to."""
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    cell.out("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=0")
    cell.out("ip", "-6", "route", "add", "default", "via", "fe80::77", "dev", "eth0", "proto", "ra")
    back(lab, "nrt-1")
    assert cell.out("sysctl", "-n", "net.ipv6.conf.eth0.accept_ra") == "0"
    away(lab, "nrt-1")
    cell.out("ip", "-6", "route", "del", "default", "proto", "ra")
    cell.out("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=1")
    back(lab, "nrt-1")


# ---- what is not ours and would pass through

PRIVATE = "fd99:7::2"  # behind the node, on a network of the operator that nobody on the uplink is to reach
STRANGER = "fd80:6:6::1"


class Transit:
    """A second network of the node's machine, and a neighbour on its uplink who has set a route through it by hand."""

    def __init__(self, lab, name):
        self.cell, self.behind, self.neighbour = lab.nodes[name], lab.cells["underlay"], lab.controller
        subprocess.run(["nsenter", "-t", str(self.cell.pid), "-n", "ip", "link", "add", "vlan7", "type", "veth", "peer", "name", "private",
                        "netns", str(self.behind.pid)], check=True)
        self.cell.out("sh", "-ec", "ip -6 addr add fd99:7::1/64 dev vlan7 nodad; ip link set vlan7 up")
        self.behind.out("sh", "-ec", f"ip -6 addr add {PRIVATE}/64 dev private nodad; ip link set private up")
        self.mac = bytes.fromhex(self.cell.out("cat", "/sys/class/net/eth0/address").replace(":", ""))
        self.wire, self.capture = Wire(self.neighbour, "eth0"), Capture(self.behind, "private")

    def close(self):
        self.wire.close()
        self.capture.close()
        self.cell.out("ip", "link", "del", "vlan7")

    def passes(self, seconds, kinds=("udp", "icmp", "tcp")):
        """Whether anything of these comes out behind the machine. The last one that is sent is judged before the look ends: a ping to
        the machine itself, behind it in the same queue, has its answer."""
        tokens = [token() for _ in kinds]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind, mine in zip(kinds, tokens):
                self.wire.send(probe(kind, STRANGER, PRIVATE, mine), self.mac)
            self.neighbour.run("ping", "-6", "-c1", "-W1", "-n", "fd80:6:6::12")
            seen = self.capture.drain()
            if all(any(mine[:4] in p for p in seen) for mine in tokens):
                return True
            assert not any(mine[:4] in p for p in seen for mine in tokens) or seconds > 2, "some of it passes"
        return False


def transit_drops(lab, name):
    return lab.node_status(name)["bpf"]["transit_drops"]


def test_nothing_passes_through_a_machine_that_forwards_for_our_sake(lab):
    """A neighbour on the uplink, a customer's laptop at a gateway for one, reaches no other network of the operator through it: neither
    after a restart, nor with the ledger of settings lost, nor when somebody takes the rule away."""
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    way = Transit(lab, "nrt-1")
    try:
        assert not way.passes(1), "a machine that does not forward"
        cell.out("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        assert way.passes(10), "nothing passes whatever is done: this test proves nothing"
        cell.out("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")
        back(lab, "nrt-1")
        assert cell.out("sysctl", "-n", "net.ipv6.conf.all.forwarding") == "1"
        assert not way.passes(1) and transit_drops(lab, "nrt-1") > 0
        assert pings(lab)
        before = transit_drops(lab, "nrt-1")
        lab.restart_node("nrt-1")
        assert not way.passes(1) and transit_drops(lab, "nrt-1") > before, "an intact gate stays, with its counter"
        cell.out("nft", "flush", "chain", "inet", "sixpn", "transit")
        wait_until(lambda: cell.run("nft", "list", "chain", "inet", "sixpn", "transit").stdout.count("drop") == 1, 15, "put right")
        assert not way.passes(1) and pings(lab)
        lab.stop_node("nrt-1")
        ledger = cell.path("/var/lib/sixpn/node/sysctl.json")
        kept = ledger.read_text()
        ledger.unlink()
        lab.start_node("nrt-1", *NODE_ARGS)
        wait_until(lambda: lab.answers("nrt-1"), 15, "it is back")
        assert not way.passes(1), "with the ledger lost"
        lab.stop_node("nrt-1")
        ledger.write_text(kept)
        away(lab, "nrt-1")
        assert "sixpn" not in cell.out("nft", "list", "ruleset") and not way.passes(1)
    finally:
        way.close()
    back(lab, "nrt-1")


def test_a_machine_that_forwarded_before_us_goes_on_forwarding(lab):
    """Until its operator takes that back; and `transit` in the configuration has the last word."""
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    way = Transit(lab, "nrt-1")
    try:
        cell.out("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        back(lab, "nrt-1")
        assert way.passes(10) and pings(lab)
        lab.restart_node("nrt-1")
        assert way.passes(10)
        lab.stop_node("nrt-1")
        back(lab, "nrt-1", "--transit=no")
        assert not way.passes(1) and pings(lab)
        lab.stop_node("nrt-1")
        back(lab, "nrt-1", "--transit=yes")
        assert way.passes(10)
        lab.stop_node("nrt-1")
        back(lab, "nrt-1")
        assert way.passes(10)
        cell.out("sysctl", "-qw", "net.ipv6.conf.all.forwarding=0")  # from now on it is we who forward
        wait_until(lambda: cell.out("sysctl", "-n", "net.ipv6.conf.all.forwarding") == "1", 15, "put right")
        assert not way.passes(1) and pings(lab)
        away(lab, "nrt-1")
        assert cell.out("sysctl", "-n", "net.ipv6.conf.all.forwarding") == "0"
    finally:
        way.close()
    back(lab, "nrt-1")


# ---- foreign forward chains

def rules(cell):
    return cell.run("nft", "-a", "list", "chain", "ip6", "filter", "FORWARD").stdout


def test_a_forward_policy_of_drop_lets_us_through_and_stays_for_all_others(lab):
    cell = lab.nodes["nrt-1"]
    assert pings(lab)
    away(lab, "nrt-1")
    cell.out("nft", f"add table ip6 filter ; {CHAIN}")
    before = cell.out("nft", "list", "ruleset")
    back(lab, "nrt-1", "--manage=no")
    assert not pings(lab, 3), "the chain does not drop: this test proves nothing"
    away(lab, "nrt-1")
    back(lab, "nrt-1")
    assert pings(lab)
    assert "policy drop" in rules(cell) and rules(cell).count("accept") == 1, rules(cell)
    cell.out("nft", "flush chain ip6 filter FORWARD ; add rule ip6 filter FORWARD iifname eth9 accept")  # Docker starts again
    assert pings(lab), "not put back"
    away(lab, "nrt-1")
    assert 'iifname "eth9" accept' in rules(cell) and "sixpn" not in cell.out("nft", "list", "ruleset"), rules(cell)
    cell.out("nft", "flush", "chain", "ip6", "filter", "FORWARD")
    assert cell.out("nft", "list", "ruleset") == before
    cell.out("nft", "delete", "table", "ip6", "filter")
    back(lab, "nrt-1")


def test_ip6tables_can_read_our_rule_and_what_it_writes_again_is_still_ours(lab):
    """What Docker and netfilter-persistent use. They must not find a table that they cannot read."""
    if not shutil.which("ip6tables-nft"):
        raise Skip("ip6tables-nft is not installed (package iptables)")
    cell = lab.nodes["nrt-1"]
    away(lab, "nrt-1")
    cell.out("ip6tables-nft", "-P", "FORWARD", "DROP")
    cell.out("ip6tables-nft", "-N", "DOCKER-USER")
    cell.out("ip6tables-nft", "-A", "FORWARD", "-j", "DOCKER-USER")
    before = cell.out("ip6tables-nft", "-S")
    back(lab, "nrt-1")
    assert pings(lab)
    ours = "-A FORWARD -m mark --mark 0x6b/0xff -m comment --comment sixpn -j ACCEPT"
    assert ours in cell.out("ip6tables-nft", "-S"), cell.out("ip6tables-nft", "-S")
    cell.out("ip6tables-nft", "-I", "FORWARD", "-i", "eth9", "-j", "ACCEPT")
    cell.out("ip6tables-nft", "-D", "FORWARD", "-i", "eth9", "-j", "ACCEPT")
    rounds = lab.node_status("nrt-1")["drift"]["rounds"]
    cell.out("sh", "-c", "ip6tables-nft-save | ip6tables-nft-restore")
    wait_until(lambda: lab.node_status("nrt-1")["drift"]["rounds"] >= rounds + 3, 15, "three looks")
    assert cell.out("ip6tables-nft", "-S").count("sixpn") == 1, cell.out("ip6tables-nft", "-S")
    assert pings(lab)
    away(lab, "nrt-1")
    assert cell.out("ip6tables-nft", "-S") == before
    cell.out("nft", "flush", "ruleset")
    back(lab, "nrt-1")
