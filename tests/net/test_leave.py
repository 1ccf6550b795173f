"""`sixpn-node leave` puts everything back: devices, routes, rules, nftables, programs, pins, settings, processes."""
import os
import signal

from fixture.cell import BIN
from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
SETTINGS = ["net.ipv6.fwmark_reflect", "net.ipv4.tcp_fwmark_accept", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.eth0.forwarding"]
LOOKS = {
    "devices": "ip -br link | awk '{print $1}'",
    "rules": "ip -6 rule; ip rule",
    "routes": "ip -6 route show table all | grep fdaa",
    "addresses": "ip -6 -br addr show lo",
    "nftables": "nft list ruleset",
    "pins": "ls /sys/fs/bpf/sixpn",
    "programs": "bpftool net show | grep -E 'instance_|mesh_|underlay_'",
    "settings": "sysctl " + " ".join(SETTINGS),
    "processes": "ps axo comm= | grep -E 'sixpn|wireguard|sleep'",
    "instances": "ls /run/sixpn/instances",
}


def look(cell):
    return {what: cell.run("sh", "-c", command).stdout.splitlines() for what, command in LOOKS.items()}


def is_clean(cell, settings):
    now = look(cell)
    wrong = {w: now[w] for w in ("routes", "nftables", "pins", "programs", "processes", "instances") if now[w]}
    wrong |= {w: now[w] for w in ("rules",) if any("6000" in line for line in now[w])}
    wrong |= {w: now[w] for w in ("addresses",) if any("fdaa" in line for line in now[w])}
    wrong |= {w: now[w] for w in ("devices",) if any(line.startswith("sx") or line.startswith("sixpn") for line in now[w])}
    return wrong | ({} if now["settings"] == settings else {"settings": now["settings"]})


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


def leaves_clean(lab, name):
    cell = lab.nodes[name]
    done = cell.run(BIN / "sixpn-node", "leave", "--name", name)
    assert done.returncode == 0, done.stderr
    off = [f"{key} = 0" for key in SETTINGS]
    try:
        wait_until(lambda: not is_clean(cell, off), 5, "clean")
    except TimeoutError:
        raise AssertionError(is_clean(cell, off)) from None
    return done.stderr


def test_leave_puts_everything_back(lab):
    lab.stop_node("nrt-1")
    leaves_clean(lab, "nrt-1")


def test_leave_ends_what_is_stopped(lab):
    """A shim that is frozen does not hear that it is to end; the same with the mesh's process."""
    cell = lab.nodes["nrt-1"]
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1") and all(is_up(lab, i) for i in lab.instances() if i["host"] == "nrt-1"), 15, "it is back")
    lab.stop_node("nrt-1")
    for name in ("sixpn-shim", "wireguard-go"):
        cell.signal(name, signal.SIGSTOP)
    leaves_clean(lab, "nrt-1")


def test_leave_starts_nothing_on_the_way(lab):
    running = lab.instance("acme", "web", "ord-1")
    lab.stop_node("ord-1")
    os.kill(running.pid, signal.SIGKILL)
    lab.nodes["ord-1"].out("sh", "-c", "rm -rf /run/sixpn/instances/*")
    assert "is starting" not in leaves_clean(lab, "ord-1")


def is_up(lab, record):
    return lab.nodes[record["host"]].path(f"/run/sixpn/instances/{record['id']}/command").exists()


def test_a_machine_that_left_can_come_back(lab):
    for name in lab.nodes:
        lab.start_node(name)
    wait_until(lab.ready, 20, "nodes are back")
    wait_until(lambda: all(is_up(lab, i) for i in lab.instances()), 10, "instances are back")
    here, there = (lab.instance("acme", "web", name) for name in lab.nodes)
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "traffic")
