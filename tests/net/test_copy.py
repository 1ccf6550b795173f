"""The copy that a node holds: one that differs from the controller's is found and healed, and one that would lose many records for no
reason anybody gave keeps them until an operator says so."""
import hashlib
import re
import signal
import struct

from fixture.cell import BIN
from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
STATE = "/var/lib/sixpn/node"
HASH, ENTRY = 32, struct.Struct("!IQQ")
STORE = "/var/lib/sixpn/controller"
CROWD = 60


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("globex", "web", ["nrt"], SLEEPER)
    lab.settle()


def state_hash(data):
    return hashlib.blake2b(data, key=b"sixpn state", digest_size=HASH).digest()


def rewrite_state(cell, change):
    """Changes the bytes of a node's state as if they had been read wrong: every checksum fits."""
    snapshot, journal = cell.path(f"{STATE}/replica.snapshot"), cell.path(f"{STATE}/replica.journal")
    body = change(snapshot.read_bytes()[:-HASH])
    chain = state_hash(body)
    snapshot.write_bytes(body + chain)
    old, at = journal.read_bytes(), 8 + HASH
    new = old[:8] + chain if old else b""
    while at < len(old):
        size, _, _ = ENTRY.unpack_from(old, at)
        head = old[at:at + ENTRY.size]
        entry = change(old[at + ENTRY.size + HASH:at + ENTRY.size + HASH + size])
        chain = state_hash(chain + head + entry)
        new += head + chain + entry
        at += ENTRY.size + HASH + size
    journal.write_bytes(new)


def sync(lab, name):
    return lab.node_status(name)["sync"]


def of_node(lab, name):
    return next(n for n in lab.json("status")["nodes"] if n["name"] == name)


def stop_controller(lab):
    lab.controller.signal("sixpn-controller", signal.SIGTERM)
    lab.controller.daemons["controller"].wait()


def test_g10_a_copy_that_was_corrupted_is_found_at_the_next_poll_and_only_the_part_is_healed(lab):
    here, there = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    foreign = lab.instance("globex", "web", "nrt-1")
    cell = lab.nodes["nrt-1"]
    app_of_acme = bytes.fromhex(next(a["id"] for a in lab.json("app", "list", "--org", "acme")["items"] if a["name"] == "web"))
    stop_controller(lab)
    lab.stop_node("nrt-1", signal.SIGKILL)
    changed = []

    def rename(data):  # the App of acme: id, network, name
        def other(match):
            changed.append(match)
            return match[1] + b"\x1a\x03wex"
        return re.sub(b"(\x0a\x08" + re.escape(app_of_acme) + b"\x10.{1,5}?)\x1a\x03web", other, data, flags=re.DOTALL)

    rewrite_state(cell, rename)
    assert changed, "the app is in the state file"
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
    assert there.rcode("web.internal", "AAAA")[0] == "NXDOMAIN" and there.rcode("wex.internal", "AAAA")[0] == "NOERROR", "it is corrupted"
    lab.start_controller()
    wait_until(lambda: there.rcode("web.internal", "AAAA") == ("NOERROR", 2), 20, "healed")
    assert there.rcode("wex.internal", "AAAA")[0] == "NXDOMAIN"
    status = sync(lab, "nrt-1")
    assert (status["digests_asked"], status["heals"], status["snapshots"]) == (1, 1, 0), status
    assert here.dig("web.internal", "AAAA") and foreign.rcode("web.internal", "AAAA") == ("NOERROR", 1)
    log = (lab.logs / "controller-controller.log").read_text()
    assert "nrt-1: 1 parts of its copy differ" in log, "said in the log"
    wait_until(lab.ready, 20, "all are in step")


def test_g21_what_was_deleted_on_purpose_during_a_long_absence_is_not_held(lab):
    there = lab.instance("acme", "web", "nrt-1")
    for n in range(CROWD):
        lab.sixpn("app", "create", f"meant-{n:02}", "--org", "acme", *(["--no-wait"] if n < CROWD - 1 else []), say=False)
    assert there.rcode("meant-07.internal", "AAAA")[0] == "NOERROR"
    lab.stop_node("nrt-1", signal.SIGKILL)
    for n in range(CROWD):
        lab.sixpn("app", "delete", f"acme/meant-{n:02}", "--yes", "--no-wait", say=False)
    stop_controller(lab)
    lab.controller_args = ("--window_changes", "16")  # all that is far behind the cursor of nrt-1
    lab.start_controller()
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1") and sync(lab, "nrt-1")["synced"], 20, "in step again")
    status = lab.node_status("nrt-1")
    assert (status["sync"]["snapshots"], status["held_deletes"]) == (1, 0), status["sync"]
    assert there.rcode("meant-07.internal", "AAAA")[0] == "NXDOMAIN"
    assert there.rcode("web.internal", "AAAA") == ("NOERROR", 2)
    wait_until(lambda: lab._run("status").returncode == 0, 20, "healthy")


def test_g21_apps_that_a_restored_store_does_not_know_stay_at_the_nodes_until_they_are_released(lab):
    there = lab.instance("acme", "web", "nrt-1")
    backup = lab.json("backup", "create")["name"]
    for n in range(CROWD):
        lab.sixpn("app", "create", f"crowd-{n:02}", "--org", "acme", *(["--no-wait"] if n < CROWD - 1 else []), say=False)
    assert there.rcode("crowd-07.internal", "AAAA")[0] == "NOERROR"
    stop_controller(lab)
    lab.controller.out(BIN / "sixpn", "backup", "restore", f"{STORE}/backups/{backup}", "--yes", env={"HOME": "/run"})
    lab.start_controller()
    wait_until(lambda: of_node(lab, "nrt-1")["n_held"] == CROWD and of_node(lab, "ord-1")["n_held"] == CROWD, 20, "held, and told")
    assert "app" in of_node(lab, "nrt-1")["held"][0]
    assert f"holds back {CROWD} deletes" in lab._run("status").stdout
    assert there.rcode("crowd-07.internal", "AAAA")[0] == "NOERROR", "the name stays"
    lab.sixpn("app", "create", "after", "--org", "acme")  # all else applies, and waits do not hang on what is held
    assert there.rcode("after.internal", "AAAA")[0] == "NOERROR"
    lab.restart_node("nrt-1", signal.SIGKILL)
    assert there.rcode("crowd-07.internal", "AAAA")[0] == "NOERROR", "held over a restart"
    wait_until(lambda: of_node(lab, "nrt-1")["n_held"] == CROWD, 20, "told again")
    done = lab._run("node", "release-held", "nrt-1", "--yes")
    assert done.returncode == 0, done.stderr
    assert there.rcode("crowd-07.internal", "AAAA")[0] == "NXDOMAIN", "released, and applied when the command returned"
    assert of_node(lab, "nrt-1")["n_held"] == 0 and of_node(lab, "ord-1")["n_held"] == CROWD, "one node is released, not all"
    assert sync(lab, "nrt-1")["digests_asked"] == 0, "the digests stayed equal all the time"
    lab.sixpn("node", "release-held", "ord-1", "--yes")
    wait_until(lambda: lab._run("status").returncode == 0, 20, "healthy again")
