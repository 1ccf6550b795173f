"""Restarts drop no packet: kill -9 of a node's daemon under a flood, kill -9 of wireguard-go heals by itself, kill -9 of the
controller stops nothing."""
import re
import signal
import time

from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("globex", "web", ["ord"], SLEEPER)
    lab.settle()


def ends(lab):
    return lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")


def warm(here, there):
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "first ping")


def lost(text):
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    return sent, sent - received


def test_kill_9_of_a_daemon_under_a_flood_loses_nothing(lab):
    here, there = ends(lab)
    warm(here, there)
    before = {n: {a["device"]: a["ingress"] for a in lab.node_status(n)["bpf"]["attached"]} for n in lab.nodes}
    flood = here.popen("ping", "-6", "-f", "-n", "-q", "-c", "20000", "-i", "0.0005", there.address, stdout=-1, text=True)
    for name in ("nrt-1", "ord-1", "nrt-1"):
        lab.restart_node(name, signal.SIGKILL)
    text, _ = flood.communicate(timeout=120)
    sent, missing = lost(text)
    assert sent == 20000 and missing == 0, text
    after = {n: {a["device"]: a["ingress"] for a in lab.node_status(n)["bpf"]["attached"]} for n in lab.nodes}
    assert before.keys() == after.keys()
    for node in before:
        assert before[node].keys() == after[node].keys(), (before, after)
        assert all(before[node][d] != after[node][d] for d in before[node]), "the programs were not replaced"
    print(f"   {sent} pings over 3 restarts, {missing} lost")


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
    assert seconds < 2, f"traffic was back only after {seconds:.2f} s"
    print(f"   traffic back after {seconds:.2f} s, ifindex {index} as before")


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
