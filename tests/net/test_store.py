"""The store under real daemons: backup and restore, a store that was rolled back, a second controller, a copied node."""
import json
import os
import re
import shutil
import signal
import time

from fixture.cell import BIN
from fixture.cluster import CONTROLLER_ADDRESS, LINK_PORT, wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
DIR = "/var/lib/sixpn/controller"
STORE = f"{DIR}/sixpn.db"


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


# ---- small things

def identity(lab):
    """(log id, epoch) as every node holds them; they must agree."""
    seen = {(s["log_id"], s["epoch"]) for s in map(lab.node_status, lab.nodes)}
    assert len(seen) == 1, seen
    return seen.pop()


def agreed(lab, than, field):
    """Do all nodes hold one pair, with a greater epoch (1) or another log id (0) than that?"""
    seen = {(s["log_id"], s["epoch"]) for s in map(lab.node_status, lab.nodes)}
    pair = next(iter(seen))
    return len(seen) == 1 and (pair[1] > than[1] if field else pair[0] != than[0])


def snapshots(lab):
    return {n: lab.node_status(n)["sync"]["snapshots"] for n in lab.nodes}


def kill_controller(lab, number=signal.SIGKILL):
    lab.controller.signal("sixpn-controller", number)
    lab.controller.daemons["controller"].wait()


def restart_controller(lab):
    lab.start_controller()
    wait_until(lab.ready, 30, "nodes are back")


def controller_log(lab):
    return (lab.logs / "controller-controller.log").read_text()


def sixpn_here(lab, *args):
    """The command where it needs no controller."""
    return lab.controller.run(BIN / "sixpn", *args, timeout=60, env={"HOME": "/run", "SIXPN_SOCKET": "/run/sixpn/controller.sock"})


def create_instance(lab, region="ord"):
    before = {i["id"] for i in lab.instances("acme", "web")}
    lab.controller.path("/run/spec.json").write_text(json.dumps(SLEEPER))
    lab.sixpn("instance", "create", "--org", "acme", "--app", "web", "--region", region, "--spec", "/run/spec.json")
    lab.settle()
    return next(i for i in lab.instances("acme", "web") if i["id"] not in before)


def process_of(lab, record):
    """Its process on its host, or None."""
    path = lab.nodes[record["host"]].path(f"/run/sixpn/instances/{record['id']}/pid")
    try:
        return int(path.read_text().split()[0])
    except OSError:
        return None


def flood(here, there):
    return here.popen("ping", "-6", "-n", "-q", "-i", "0.01", "-w", "300", there.address, stdout=-1, text=True)


def end_flood(ping):
    with open(f"/proc/{ping.pid}/task/{ping.pid}/children") as children:
        for child in children.read().split():  # nsenter passes no signal on
            os.kill(int(child), signal.SIGINT)
    text, _ = ping.communicate(timeout=20)
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", text).groups())
    return sent, sent - received


# ---- backup and restore

def test_a_backup_is_made_listed_copied_and_verified_while_the_controller_works(lab):
    made = lab.json("backup", "create", "-o", "/run/copy.backup")
    assert made["verified"] and made["v"] == lab.json("status")["v"], made
    listed = lab.json("backup", "list")["items"]
    assert [b["name"] for b in listed] == [made["name"]] and listed[0]["verified"], listed
    path = lab.controller.path(f"{DIR}/backups/{made['name']}")
    assert path.stat().st_mode & 0o777 == 0o600
    copy = lab.controller.path("/run/copy.backup")
    assert copy.read_bytes() == path.read_bytes() and copy.stat().st_mode & 0o777 == 0o600
    checked = sixpn_here(lab, "backup", "verify", "/run/copy.backup", "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["v"] == made["v"], checked
    assert json.loads(sixpn_here(lab, "store", "check", "--json").stdout)["whole"] is True
    broken = bytearray(copy.read_bytes())
    broken[len(broken) // 3] ^= 1
    copy.write_bytes(broken)
    refused = sixpn_here(lab, "backup", "verify", "/run/copy.backup")
    assert refused.returncode == 1 and "backup_corrupt" in refused.stderr, refused
    refused = sixpn_here(lab, "backup", "restore", path.name, "--yes")
    assert refused.returncode == 1, refused
    refused = sixpn_here(lab, "backup", "restore", f"{DIR}/backups/{made['name']}", "--yes")
    assert refused.returncode == 1 and "store_in_use" in refused.stderr, refused
    key = lab.controller.path(f"{DIR}/keys/link.key").read_text().strip()
    assert key not in controller_log(lab) and key not in json.dumps(made)
    print(f"   {made['size']} bytes, the store thread was kept for at most {made['step_us']} us at a time")


def test_the_audit_is_verified_by_the_controller_and_without_it(lab):
    head = lab.sixpn("audit", "head").strip()
    lab.sixpn("org", "create", "audited")
    rows = lab.json("audit", "list", "--org", "audited")["items"]
    assert [(r["verb"], r["noun"]) for r in rows] == [("create", "network"), ("create", "org")], rows
    assert all(r["principal"].startswith("local uid") and r["address"] == "local" and r["v"] for r in rows), rows
    lab.sixpn("audit", "verify", "--head", head)
    made = lab.json("backup", "create")
    assert lab.json("audit", "list")["items"][0]["noun"] == "backup"
    file = f"{DIR}/backups/{made['name']}"
    for what in (file, STORE):
        found = json.loads(sixpn_here(lab, "audit", "verify", what, "--head", head, "--json").stdout)
        assert found["whole"] and found["known_head"] == "met", found
    # a head that this chain never had: it would have been written anew
    number = head.split(":")[0]
    wrong = sixpn_here(lab, "audit", "verify", STORE, "--head", f"{number}:{'0' * 64}")
    assert wrong.returncode == 1 and f"row {number}" in wrong.stderr and "audit_damaged" in wrong.stderr, wrong
    assert sixpn_here(lab, "audit", "verify", STORE, "--head", "7").returncode == 1


def test_g2_a_restore_gives_each_node_one_snapshot_and_disturbs_nothing_that_is_in_both(lab):
    kept = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    made = lab.json("backup", "create")
    newer = create_instance(lab)
    inner = process_of(lab, newer)
    assert inner, "the newer instance runs"
    before, old = snapshots(lab), identity(lab)
    head = lab.json("status")["v"]
    ping = flood(*kept)
    kill_controller(lab)
    done = sixpn_here(lab, "backup", "restore", f"{DIR}/backups/{made['name']}", "--yes", "--json")
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert report["v"] == made["v"] and report["lost_changes"] >= head - made["v"] > 0, report
    restart_controller(lab)
    wait_until(lambda: process_of(lab, newer) != inner, 20, "what the restored log does not know is stopped")
    wait_until(lambda: all(i["observed"]["state"] == i["desired"] for i in lab.instances()), 20, "settled")
    new = identity(lab)
    assert new[0] != old[0] and new[1] > old[1], (old, new)
    assert snapshots(lab) == {n: before[n] + 1 for n in before}, (before, snapshots(lab))
    assert {i["id"] for i in lab.instances()} == {k.id for k in kept}
    assert [process_of(lab, k.record) for k in kept] == [int(k.cell.path(f"/run/sixpn/instances/{k.id}/pid").read_text().split()[0])
                                                         for k in kept]
    again = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    assert [a.pid for a in again] == [k.pid for k in kept], "an instance that is in both was restarted"
    sent, missing = end_flood(ping)
    assert sent > 20 and missing == 0, f"{missing} of {sent} pings lost over the restore"
    assert kept[0].dig("nrt.web.internal", "AAAA") == [kept[1].address]
    aside = lab.controller.path(report["replaced"])
    assert (aside / "sixpn.db").exists(), "the old store is moved aside, not deleted"
    create_instance(lab, "nrt")  # and life goes on
    print(f"   one snapshot each, {missing} of {sent} pings lost, {report['lost_changes']} changes given up")


# ---- a store that was rolled back

def test_g2_a_store_that_was_rolled_back_is_noticed_by_a_nodes_proof(lab):
    kept = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    kill_controller(lab, signal.SIGTERM)
    old_copy = lab.controller.path(STORE).read_bytes()
    restart_controller(lab)
    newer = create_instance(lab)
    inner = process_of(lab, newer)
    before, old = snapshots(lab), identity(lab)
    kill_controller(lab)
    for suffix in ("-wal", "-shm"):
        lab.controller.path(STORE + suffix).unlink(missing_ok=True)
    lab.controller.path(STORE).write_bytes(old_copy)
    ping = flood(*kept)
    restart_controller(lab)
    wait_until(lambda: agreed(lab, old, 0), 20, "a new log")
    wait_until(lambda: process_of(lab, newer) != inner, 20, "what the old copy does not know is stopped")
    assert snapshots(lab) == {n: before[n] + 1 for n in before}, (before, snapshots(lab))
    assert identity(lab)[1] > old[1]
    log = controller_log(lab)
    assert "proves that this log once reached V" in log and "was rolled back to V" in log
    sent, missing = end_flood(ping)
    assert missing == 0, f"{missing} of {sent} pings lost"
    create_instance(lab)


# ---- a second controller

def spawn_controller(lab, key, path, link, *extra):
    """A controller of its own beside the first: other sockets, other ports."""
    return lab.controller.spawn(key, BIN / "sixpn-controller", "--listen", "127.0.0.1:4290", "--socket", f"/run/{key}.sock", "--path", path,
                                "--link_listen", link, "--advertise", link, "--park_ms", str(lab.park_ms), *extra)


def test_g14_a_second_controller_on_the_same_file_is_refused_by_the_lock(lab):
    second = spawn_controller(lab, "second", STORE, f"{CONTROLLER_ADDRESS}:4291")
    assert second.wait(timeout=20) != 0
    assert "is in use by another controller" in (lab.logs / "controller-second.log").read_text()
    assert lab.ready(), "the first one goes on"


def test_g14_without_the_lock_the_later_one_counts_and_the_earlier_ends_itself(lab):
    lab.controller.path(STORE + "-lock").unlink()
    first = lab.controller.daemons["controller"]
    v = lab.json("status")["v"]
    second = spawn_controller(lab, "second", STORE, f"{CONTROLLER_ADDRESS}:4291")
    assert first.wait(timeout=30) != 0, "the earlier controller must end by itself, without being asked to write"
    assert "another controller writes this store now" in controller_log(lab)
    assert second.poll() is None
    checked = json.loads(sixpn_here(lab, "store", "check", "--json").stdout)
    assert checked["whole"] and checked["v"] >= v, checked
    lab.controller.signal("sixpn-controller", signal.SIGTERM)
    second.wait(timeout=20)
    restart_controller(lab)


def move_address(lab, here, there):
    """The address that the nodes know goes to another machine."""
    for cell, word in ((here, "del"), (there, "add")):
        cell.out("ip", "addr", word, f"{CONTROLLER_ADDRESS}/24", "dev", "eth0")
    for cell in lab.nodes.values():
        cell.out("ip", "neigh", "flush", "dev", "eth0")


def test_g14_a_copy_of_the_store_elsewhere_takes_the_nodes_and_the_earlier_controller_ends_itself(lab):
    standby = lab._cell("standby")
    lab._plug(standby, 41)
    shutil.copytree(lab.controller.path(DIR), standby.path(DIR))
    standby.path(f"{DIR}/sixpn.db-lock").unlink()
    first, before = lab.controller.daemons["controller"], identity(lab)
    v = lab.json("status")["v"]
    move_address(lab, lab.controller, standby)
    standby.spawn("controller", BIN / "sixpn-controller", "--link_listen", f"{CONTROLLER_ADDRESS}:{LINK_PORT}", "--advertise",
                  f"{CONTROLLER_ADDRESS}:{LINK_PORT}", "--park_ms", str(lab.park_ms))
    wait_until(lambda: agreed(lab, before, 1), 60, "the nodes obey the copy")
    assert identity(lab)[0] == before[0], "the same log"
    assert first.poll() is None, "nobody has told the first one yet"
    standby.stop()
    del lab.cells["standby"]
    lab.controller.out("ip", "addr", "add", f"{CONTROLLER_ADDRESS}/24", "dev", "eth0")
    for cell in lab.nodes.values():
        cell.out("ip", "neigh", "flush", "dev", "eth0")
    code = first.wait(timeout=60)
    assert code != 0 and "obeys another controller" in controller_log(lab), "the earlier one ends itself, saying so"
    checked = json.loads(sixpn_here(lab, "store", "check", "--json").stdout)
    assert checked["whole"] and checked["v"] >= v, checked
    restart_controller(lab)  # its clock gives it a greater epoch than the copy had
    create_instance(lab)


# ---- two nodes with one identity

def test_a_copied_node_is_fenced_and_shown(lab):
    cell = lab.nodes["nrt-1"]
    twin = lab._cell("twin")
    lab._plug(twin, 40)
    twin.run("hostname", "twin")
    shutil.copytree(cell.path("/var/lib/sixpn/node"), twin.path("/var/lib/sixpn/node"), dirs_exist_ok=True)
    lab.stop_node("nrt-1")           # the real one starts once more: its boot count is above the copy's
    lab.start_node("nrt-1")
    wait_until(lab.ready, 20, "the real one is back")
    twin.spawn("node", BIN / "sixpn-node", "--name", "nrt-1")
    shown = wait_until(lambda: next((n for n in lab.json("status")["nodes"] if n["cloned"]), None), 30, "the copy is shown")
    assert shown["name"] == "nrt-1" and not lab.json("status")["healthy"]
    assert lab.json("node", "show", "nrt-1")["cloned"] is True
    text = lab._run("status")
    assert text.returncode == 1 and "TWO MACHINES" in text.stdout, text
    assert "two machines use the identity of node nrt-1" in controller_log(lab)
    wait_until(lambda: "fenced by a controller" in (lab.logs / "twin-node.log").read_text(), 20, "the copy says it too")
    there = lab.instance("acme", "web", "nrt-1")
    assert there.cell is cell, "the instance stays where it is"
    twin.stop()
    del lab.cells["twin"]
