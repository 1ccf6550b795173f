"""Restarts drop no packet: kill -9 of a node's daemon under a flood, kill -9 of wireguard-go heals by itself, kill -9 of the
controller stops nothing."""
import json
import os
import random
import signal
import time

from fixture.attack import Attack
from fixture.cell import BIN, BUILD
from fixture.cluster import UNDERLAY, wait_until
from fixture.judge import Judge

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}


FLOOD, RATE, EACH = BUILD / "tests/net/flood", 2000, 34_000  # closed loop, see flood.c
PINS = "/sys/fs/bpf/sixpn"


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("acme", "db", ["ord"], SLEEPER)
    for app in ("web", "db"):
        lab.deploy("globex", app, ["ord"], SLEEPER)
    lab.settle()


def ends(lab):
    return lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")


def warm(here, there):
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "first ping")


def programs(lab):
    """(node, device) -> ids of the programs in the kernel, by the status."""
    return {(n, a["device"]): (a["ingress"], a["egress"]) for n in lab.nodes for a in lab.node_status(n)["bpf"]["attached"]}


def pins(cell):
    """What the pins lead to, read with bpftool: map name -> id, link name -> program id."""
    found = {}
    for name in cell.out("ls", PINS).split():
        kind = "link" if name.startswith("link_") else "map"
        shown = json.loads(cell.out("bpftool", "-j", kind, "show", "pinned", f"{PINS}/{name}"))
        found[name] = shown["prog_id"] if kind == "link" else shown["id"]
    return found


def kill_all_over(lab, kills):
    """kill -9 of one daemon after the other. Every third time it is killed again in the middle of its start."""
    for i in range(kills):
        name = ("nrt-1", "ord-1")[i % 2]
        if i % 3 == 2:
            lab.stop_node(name, signal.SIGKILL)
            lab.start_node(name)
            time.sleep(random.uniform(0.02, 0.25))
        lab.restart_node(name, signal.SIGKILL)


def test_twenty_kill_9_under_a_hundred_thousand_pings_lose_nothing_and_let_nobody_through(lab):
    here, there = ends(lab)
    beside, foreign = lab.instance("acme", "db", "ord-1"), lab.instance("globex", "web", "ord-1")
    warm(here, there)
    before, pinned = programs(lab), {n: pins(lab.nodes[n]) for n in lab.nodes}
    with Judge(lab) as judge, Attack(judge, [here, there], foreign) as attack:
        floods = {"to another host": here.popen(FLOOD, there.address, RATE, EACH, stdout=-1, text=True),
                  "from another host": there.popen(FLOOD, beside.address, RATE, EACH, stdout=-1, text=True),
                  "on the same host": beside.popen(FLOOD, here.address, RATE, EACH, stdout=-1, text=True)}
        started = time.monotonic()
        kill_all_over(lab, 20)
        while time.monotonic() - started < 25:  # restarts are quick: more of them, until there are enough pings
            kill_all_over(lab, 2)
        for pid in lab.nodes["ord-1"].pids_of("flood") + lab.nodes["nrt-1"].pids_of("flood"):
            os.kill(pid, signal.SIGTERM)
        results = {what: json.loads(flood.communicate(timeout=120)[0]) for what, flood in floods.items()}
        for what, r in results.items():
            print(f"   {what}: {r['sent']} pings, {r['lost']} lost, the slowest took {r['longest_ms']} ms")
        assert all(r["lost"] == 0 and r["received"] == r["sent"] for r in results.values()), results
        assert sum(r["sent"] for r in results.values()) >= 100_000, results
        assert judge.arrives(lab.instance("globex", "db", "ord-1"), foreign), "the capture hears nothing"
        assert len(attack.tokens) > 1000
        assert attack.crossed() == 0, "a forged packet arrived"
    after = programs(lab)
    assert before.keys() == after.keys()
    assert all(old != new for key in before for old, new in zip(before[key], after[key]) if old), "the programs were not replaced"
    for name, cell in lab.nodes.items():
        now = pins(cell)
        assert now.keys() == pinned[name].keys(), name
        assert {k: v for k, v in now.items() if "link" not in k} == {k: v for k, v in pinned[name].items() if "link" not in k}, "other maps"
        assert {v for k, v in now.items() if "link" in k} == {i for (n, _), ids in after.items() if n == name for i in ids if i}, name


def test_instances_live_on_when_their_daemon_dies(lab):
    here, _ = ends(lab)
    lab.restart_node("ord-1", signal.SIGKILL)
    again, _ = ends(lab)
    assert again.pid == here.pid, "the instance was restarted"
    assert again.record["observed"]["restarts"] == 0


def test_kill_9_of_wireguard_go_heals(lab):
    here, there = ends(lab)
    warm(here, there)
    cell = lab.nodes["nrt-1"]
    index = lab.node_status("nrt-1")["mesh"]["ifindex"]
    started = time.monotonic()
    assert cell.signal("wireguard-go", signal.SIGKILL)
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "traffic is back")
    seconds = time.monotonic() - started
    status = lab.node_status("nrt-1")["mesh"]
    assert status["ifindex"] == index and status["restarts"] >= 1, status
    assert seconds < 10, f"traffic was back only after {seconds:.2f} s"  # the promise is 2 s; this machine may be busy
    print(f"   traffic back after {seconds:.2f} s, ifindex {index} as before")


def test_a_machine_that_lost_daemon_and_wireguard_go_greets_the_others(lab):
    """As after a reboot: the others still send with sessions that are no more, which they would notice after 15 s by themselves."""
    here, there = ends(lab)
    warm(here, there)
    lab.stop_node("nrt-1", signal.SIGKILL)
    lab.nodes["nrt-1"].signal("wireguard-go", signal.SIGKILL)
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
    started = time.monotonic()
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "traffic is back")
    print(f"   traffic back {time.monotonic() - started:.2f} s after the daemon was up")


def test_a_stopped_wireguard_go_does_not_stop_the_daemon_and_is_replaced(lab):
    """SIGSTOP: alive, its socket takes every request, and nobody answers. The daemon's loop must go on in between, and traffic is back
    after three looks."""
    here, there = ends(lab)
    warm(here, there)
    before = lab.node_status("nrt-1")
    assert lab.nodes["nrt-1"].signal("wireguard-go", signal.SIGSTOP)
    started, slowest = time.monotonic(), 0.0
    while lab.node_status("nrt-1")["drift"]["repairs"]["mesh_process"] == before["drift"]["repairs"]["mesh_process"]:
        asked = time.monotonic()
        lab.node_status("nrt-1")
        slowest = max(slowest, time.monotonic() - asked)
        assert time.monotonic() - started < 30, "nobody missed it"
        time.sleep(0.05)
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 20, "traffic is back")
    seconds = time.monotonic() - started
    status = lab.node_status("nrt-1")
    assert status["mesh"]["ifindex"] == before["mesh"]["ifindex"] and status["mesh"]["restarts"] > before["mesh"]["restarts"]
    assert slowest < 6, f"the daemon did not answer for {slowest:.1f} s"
    assert "wireguard-go (pid " in (lab.logs / "nrt-1-node.log").read_text()
    print(f"   replaced and traffic back after {seconds:.1f} s; the daemon's longest silence was {slowest:.2f} s")


def test_a_stopped_wireguard_go_is_a_record_error_until_it_is_replaced(lab):
    assert lab.nodes["nrt-1"].signal("wireguard-go", signal.SIGSTOP)
    begun = time.monotonic()
    done = lab.controller.run(BIN / "sixpn", "region", "create", "fra", timeout=40, env={"HOME": "/run"})
    took = time.monotonic() - begun
    lab.sixpn("region", "delete", "fra", "--yes", check=False)
    here, there = ends(lab)
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 30, "traffic is back")
    wait_until(lambda: not lab.node_status("nrt-1")["errors"], 30, "the error is gone")
    assert done.returncode == 7 and "nrt-1 could not apply" in done.stderr and "mesh" in done.stderr, done
    assert took < 8, f"the change took {took:.1f} s"
    print(f"   said after {took:.1f} s")


def test_kill_9_of_the_controller_stops_nothing_and_loses_nothing(lab):
    here, there = ends(lab)
    instances = {i["id"]: i["address"] for i in lab.instances()}
    snapshots = {n: lab.node_status(n)["sync"]["snapshots"] for n in lab.nodes}
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    assert here.run("ping", "-6", "-c3", "-i", "0.2", "-n", there.address).returncode == 0
    assert here.dig("nrt.web.internal", "AAAA") == [there.address]
    lab.start_controller()
    wait_until(lab.ready, 20, "nodes are back")
    assert {i["id"]: i["address"] for i in lab.instances()} == instances
    for name in lab.nodes:
        assert lab.node_status(name)["sync"]["snapshots"] == snapshots[name], f"{name} took a snapshot although its cursor serves"


def test_a_node_starts_without_a_controller_and_serves_its_own_file(lab):
    _, there = ends(lab)
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    lab.stop_node("nrt-1", signal.SIGKILL)
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
    assert there.dig("ord.web.internal", "AAAA"), "no answer from its own file"
    lab.start_controller()
    wait_until(lab.ready, 20, "nodes are back")


def test_machines_that_come_back_with_other_addresses_find_each_other(lab):
    """All at once, so that nobody can go by where the other's packets come from."""
    here, there = ends(lab)
    warm(here, there)
    for name in lab.nodes:
        lab.stop_node(name)
    for number, (name, cell) in enumerate(lab.nodes.items()):
        cell.out("sh", "-c", f"ip addr del {lab.underlay_address(name)}/24 dev eth0 && ip addr add {UNDERLAY[201 + number]}/24 dev eth0")
    for name in lab.nodes:
        lab.start_node(name)
    wait_until(lab.ready, 30, "nodes are back")
    said = {n["name"]: n["endpoints"] for n in lab.json("node", "list")["items"]}
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 30, f"a ping between them: {said}")
