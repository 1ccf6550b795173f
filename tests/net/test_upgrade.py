"""A daemon that finds maps of another layout, older or newer than its own, takes their place under a flood: nothing is lost, nobody gets
through, what is pinned afterwards is its own. The other layout is what a daemon left behind, under another number."""
import json
import os
import signal

from fixture.attack import Attack
from fixture.cell import BUILD
from fixture.cluster import wait_until
from fixture.judge import Judge

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
NODE_ARGS = ("--repair_interval_ms", "1000")
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
FLOOD, RATE = BUILD / "tests/net/flood", 1000
PINS = "/sys/fs/bpf/sixpn"


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("acme", "db", ["ord"], SLEEPER)
    for app in ("web", "db"):
        lab.deploy("globex", app, ["ord"], SLEEPER)
    lab.settle()


def layouts(cell):
    return {name.split("_")[1] for name in cell.out("ls", PINS).split() if name.startswith("sixpn_")}


def relabel(cell, layout):
    cell.out("sh", "-c", f"cd {PINS} && for f in sixpn_v1_*; do mv $f sixpn_{layout}_${{f#sixpn_v1_}}; done")
    assert layouts(cell) == {layout}


def map_id(cell, name):
    return json.loads(cell.out("bpftool", "-j", "map", "show", "pinned", f"{PINS}/{name}"))["id"]


def all_current(lab, name):
    return all(a["current"] for a in lab.node_status(name)["bpf"]["attached"])


def under_flood(lab, work):
    """work(), while pings fly between the hosts and on one of them, and forged packets too."""
    here, there, beside = (lab.instance("acme", a, n) for a, n in (("web", "ord-1"), ("web", "nrt-1"), ("db", "ord-1")))
    foreign = lab.instance("globex", "web", "ord-1")
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, 10, "first ping")
    with Judge(lab) as judge, Attack(judge, [here, there], foreign) as attack:
        floods = [a.popen(FLOOD, b.address, RATE, 1000, stdout=-1, text=True) for a, b in ((here, there), (there, beside), (beside, here))]
        work()
        for cell in lab.nodes.values():
            cell.signal("flood", signal.SIGTERM)
        results = [json.loads(f.communicate(timeout=30)[0]) for f in floods]
        print(f"   {sum(r['sent'] for r in results)} pings, {sum(r['lost'] for r in results)} lost, {len(attack.tokens)} forged packets")
        assert all(r["sent"] and r["received"] == r["sent"] for r in results), results
        assert judge.arrives(lab.instance("globex", "db", "ord-1"), foreign), "the capture hears nothing"
        assert attack.tokens and attack.crossed() == 0, "a forged packet arrived"


def log_of(lab, name):
    return (lab.logs / f"{name}-node.log").read_text()


def change(lab, name, layout):
    cell = lab.nodes[name]
    old = map_id(cell, "sixpn_v1_presence")
    lab.stop_node(name, signal.SIGKILL)
    relabel(cell, layout)
    lab.start_node(name)
    wait_until(lambda: lab.answers(name) and lab.node_status(name)["sync"]["synced"], 15, f"{name} back")
    wait_until(lambda: all_current(lab, name) and layouts(cell) == {"v1"}, 10, "all is of the new layout")
    assert map_id(cell, "sixpn_v1_presence") != old


def test_an_older_layout_is_replaced_without_a_gap(lab):
    under_flood(lab, lambda: [change(lab, name, "v0") for name in lab.nodes])
    assert "holds maps of layout 0" in log_of(lab, "ord-1")


def test_a_newer_layout_is_told_as_an_error_and_replaced_without_a_gap(lab):
    under_flood(lab, lambda: [change(lab, name, "v7") for name in lab.nodes])
    assert "error bpf: " in log_of(lab, "nrt-1") and "holds maps of layout 7" in log_of(lab, "nrt-1")


def test_a_map_of_another_shape_under_our_number_is_replaced_without_a_gap(lab):
    cell = lab.nodes["ord-1"]

    def work():
        lab.stop_node("ord-1", signal.SIGKILL)
        pin = f"{PINS}/sixpn_v1_presence"
        cell.out("sh", "-c", f"rm {pin} && bpftool map create {pin} type hash key 4 value 4 entries 9 name presence")
        lab.start_node("ord-1")
        wait_until(lambda: lab.answers("ord-1") and lab.node_status("ord-1")["sync"]["synced"], 15, "ord-1 back")
        wait_until(lambda: all_current(lab, "ord-1"), 10, "all is ours")

    under_flood(lab, work)
    assert "is not the map that it is named after" in log_of(lab, "ord-1")


def test_where_nothing_is_known_the_old_programs_stay_until_the_controller_has_spoken(lab):
    """Its records are lost and the controller is away: entries of our layout cannot be made, so what is at work goes on."""
    cell = lab.nodes["nrt-1"]

    def work():
        lab.controller.signal("sixpn-controller", signal.SIGKILL)
        lab.controller.daemons["controller"].wait()
        lab.stop_node("nrt-1", signal.SIGKILL)
        relabel(cell, "v0")
        cell.out("sh", "-c", "rm /var/lib/sixpn/node/replica.*")
        lab.start_node("nrt-1")
        wait_until(lambda: lab.answers("nrt-1"), 15, "nrt-1 is up")
        wait_until(lambda: lab.node_status("nrt-1")["drift"]["rounds"] >= 2, 15, "its timer has looked at all")
        assert not all_current(lab, "nrt-1")
        assert layouts(cell) == {"v0", "v1"}
        assert "until the controller has spoken" in log_of(lab, "nrt-1")
        lab.start_controller()
        wait_until(lambda: all_current(lab, "nrt-1") and layouts(cell) == {"v1"}, 30, "all is of the new layout")

    under_flood(lab, work)
