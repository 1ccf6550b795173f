"""The store on bad disks, and controllers that are killed: a full disk, one that cannot be written, a damaged page, kill -9."""
import http.client
import json
import os
import random
import shutil
import signal
import socket
import sqlite3
import threading
import time

from fixture.cell import BIN
from fixture.cluster import wait_until

NODES = [("ord-1", "ord")]
DIR = "/var/lib/sixpn/controller"
STORE = f"{DIR}/sixpn.db"
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
KILLS = 30


def prepare(lab):
    """The controller's folder on a disk of 48 MiB of its own."""
    lab.deploy("acme", "web", ["ord"], SLEEPER)
    lab.settle()
    kill(lab, signal.SIGTERM)
    lab.controller.out("sh", "-c", f"cp -a {DIR} /run/kept && mount -t tmpfs -o size=48m,mode=0700 tmpfs {DIR} && cp -a /run/kept/. {DIR}")
    start(lab)


def kill(lab, number=signal.SIGKILL):
    lab.controller.signal("sixpn-controller", number)
    lab.controller.daemons["controller"].wait()


def start(lab):
    lab.start_controller()
    wait_until(lab.ready, 30, "the node is back")


def refuses_to_start(lab):
    """What a controller says that does not start."""
    before = len(log(lab))
    lab.controller.path("/run/sixpn/controller.sock").unlink(missing_ok=True)
    daemon = lab.controller.spawn("controller", BIN / "sixpn-controller", "--link_listen", "10.80.0.1:4281")
    assert daemon.wait(timeout=30) != 0
    return log(lab)[before:]


def log(lab):
    return (lab.logs / "controller-controller.log").read_text()


def offline(lab, *args):
    return lab.controller.run(BIN / "sixpn", *args, timeout=60, env={"HOME": "/run"})


class Api(http.client.HTTPConnection):
    """Straight to the local socket: what was acknowledged is what this saw."""

    def __init__(self, lab):
        super().__init__("localhost", timeout=30)
        self.path = str(lab.controller.path("/run/sixpn/controller.sock"))

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None):
        self.request(method, path, json.dumps(body) if body is not None else None)
        reply = self.getresponse()
        return reply.status, json.loads(reply.read() or b"null")


def copy_of(lab):
    """The store's files as they are, in a folder of ours: SQLite follows no path into another mount namespace."""
    folder = lab.logs / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for suffix in ("", "-wal"):
        if lab.controller.path(STORE + suffix).exists():
            shutil.copy(lab.controller.path(STORE + suffix), folder / f"sixpn.db{suffix}")
    return folder / "sixpn.db"


# ---- a full disk

def fill(lab):
    lab.controller.run("sh", "-c", f"cat /dev/zero > {DIR}/filler; truncate -s -512K {DIR}/filler")


def write_until_refused(api):
    """Names that were acknowledged, and the refusal."""
    names = []
    for i in range(5000):
        status, body = api.ask("POST", "/v1/orgs", {"name": f"full-{i}"})
        if status != 201:
            return names, status, body
        names.append(f"full-{i}")
    raise AssertionError("the disk never became full")


def test_a_full_disk_answers_507_reads_and_polls_go_on_and_it_recovers_by_itself(lab):
    ballast = lab.controller.path(f"{STORE}-ballast")
    assert ballast.stat().st_size == 16 << 20
    fill(lab)
    api = Api(lab)
    names, status, body = write_until_refused(api)
    assert status == 507 and body["error"]["code"] == "disk_full", (status, body)
    assert not ballast.exists(), "the ballast is given back"
    have = {o["name"] for o in lab.json("org", "list")["items"]}
    assert set(names) <= have and "acme" in have, "reads go on, and all that was acknowledged is there"
    state = lab.json("status")
    assert state["healthy"] and state["nodes"][0]["state"] == "ready", state
    polls = lab.node_status("ord-1")["sync"]["bookmarks"]
    wait_until(lambda: lab.node_status("ord-1")["sync"]["bookmarks"] > polls, 20, "polls are answered")
    if names:
        status, body = api.ask("DELETE", f"/v1/orgs/{names[0]}")
        assert status == 200, (status, body)
    status, body = api.ask("POST", "/v1/orgs", {"name": "one-more"})
    assert status == 507, (status, body)
    status, body = api.ask("POST", "/v1/backups", {})
    assert status == 507 and body["error"]["code"] == "backup_no_room", (status, body)
    kill(lab)  # the full disk must not keep it from starting again
    start(lab)
    lab.controller.path(f"{DIR}/filler").unlink()
    wait_until(lambda: ballast.exists() and ballast.stat().st_size == 16 << 20, 20, "the ballast is made again without a write")
    api = Api(lab)
    status, body = api.ask("POST", "/v1/orgs", {"name": "room-again"})
    assert status == 201, (status, body)
    have = {o["name"] for o in lab.json("org", "list")["items"]}
    assert set(names[1:]) <= have, "what was acknowledged while the disk filled is there"
    checked = offline(lab, "store", "check", "--json")
    assert checked.returncode == 0, checked
    print(f"   {len(names)} writes until the disk was full")


def test_a_node_whose_disk_is_full_applies_acknowledges_nothing_and_goes_on_when_there_is_room(lab):
    folder, cell = "/var/lib/sixpn/node", lab.nodes["ord-1"]
    lab.stop_node("ord-1")
    cell.out("sh", "-c", f"cp -a {folder} /run/kept && mount -t tmpfs -o size=2m,mode=0700 tmpfs {folder} && cp -a /run/kept/. {folder}")
    lab.start_node("ord-1")
    wait_until(lambda: lab.answers("ord-1") and lab.node_status("ord-1")["sync"]["synced"], 30, "the node is back")
    cell.run("sh", "-c", f"cat /dev/zero > {folder}/filler")
    for number in range(100):  # the journal's last page on the disk has some room yet
        before = lab.node_status("ord-1")["v"]
        late = lab._run("app", "create", f"shop-{number}", "--org", "acme", "--wait=2s")
        if late.returncode:
            break
    assert late.returncode == 6 and "ord-1" in late.stderr, late
    assert lab.node_status("ord-1")["v"] > before, "what it cannot write down is applied all the same"
    assert not lab.json("status")["healthy"]
    assert "cannot be written" in (lab.logs / "ord-1-node.log").read_text()
    cell.path(f"{folder}/filler").unlink()
    wait_until(lambda: lab.json("status")["healthy"], 30, "it acknowledges when there is room")
    lab.restart_node("ord-1", signal.SIGKILL)
    wait_until(lambda: lab.json("status")["healthy"], 30, "and has it after kill -9")


# ---- a disk that cannot be written

def test_a_store_that_cannot_be_written_is_refused_with_a_sentence(lab):
    kill(lab, signal.SIGTERM)
    lab.controller.out("mount", "-o", "remount,ro", DIR)
    try:
        said = refuses_to_start(lab)
        assert f"store {STORE} cannot be written" in said and "Read-only file system" in said, said
        checked = offline(lab, "store", "check", "--json")
        assert checked.returncode == 0 and json.loads(checked.stdout)["whole"], checked
    finally:
        lab.controller.out("mount", "-o", "remount,rw", DIR)
    start(lab)


# ---- damage

def test_a_damaged_store_is_refused_by_name_and_a_backup_brings_it_back(lab):
    made = lab.json("backup", "create")
    kill(lab, signal.SIGTERM)
    store = lab.controller.path(STORE)
    whole = bytearray(store.read_bytes())
    for page in range(2, len(whole) // 4096, 7):
        whole[page * 4096 + 8:page * 4096 + 200] = bytes(192)
    store.write_bytes(whole)
    said = refuses_to_start(lab)
    assert STORE in said and "is damaged" in said and "sixpn backup restore" in said, said
    refused = offline(lab, "store", "check")
    assert refused.returncode == 1 and "store_corrupt" in refused.stderr, refused
    done = offline(lab, "backup", "restore", f"{DIR}/backups/{made['name']}", "--yes")
    assert done.returncode == 0, done
    start(lab)
    assert any(o["name"] == "acme" for o in lab.json("org", "list")["items"])


# ---- kill -9

class Writers:
    """Threads that write without a pause and note what was acknowledged."""

    def __init__(self, lab, n):
        self.lab, self.acknowledged, self.in_doubt, self.lock, self.end = lab, {}, set(), threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(i,)) for i in range(n)] + [threading.Thread(target=self.back_up)]
        self.backups = 0
        for thread in self.threads:
            thread.start()

    def talk(self, say):
        api = None
        while not self.end.is_set():
            try:
                api = api or Api(self.lab)
                say(api)
            except (OSError, http.client.HTTPException, ValueError):  # it was killed: this one was not acknowledged
                if api:
                    api.close()
                api = None
                time.sleep(0.005)

    def write(self, number):
        count = 0

        def say(api):
            nonlocal count
            count += 1
            name = f"storm-{number}-{count}"
            status, body = api.ask("POST", "/v1/orgs", {"name": name})
            if status == 201:
                with self.lock:
                    self.acknowledged[name] = body["v"]
            if count % 3 == 0 and status == 201:
                self.in_doubt.add(name)  # until the answer is there, both are right
                status, body = api.ask("DELETE", f"/v1/orgs/{name}")
                if status == 200:
                    with self.lock:
                        self.acknowledged[name] = -body["v"]
                        self.in_doubt.discard(name)

        self.talk(say)

    def back_up(self):
        def say(api):
            status, _ = api.ask("POST", "/v1/backups", {"keep": 2})
            self.backups += status == 201
        self.talk(say)

    def stop(self):
        self.end.set()
        for thread in self.threads:
            thread.join()


def test_kill_9_at_any_moment_loses_no_acknowledged_write_and_leaves_nothing_open(lab):
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    dice = random.Random(seed)
    writers = Writers(lab, 4)
    try:
        for _ in range(KILLS):
            time.sleep(dice.random() * 0.25)  # the moment of the kill is what is being tried
            kill(lab)
            lab.start_controller()
    finally:
        writers.stop()
    wait_until(lab.ready, 30, "the node is back")
    status = lab.json("status")
    checked = offline(lab, "store", "check", "--json")
    assert checked.returncode == 0, checked  # log 1..V without a gap, records = fold of the log, indexes, references
    kill(lab)
    db = sqlite3.connect(copy_of(lab))
    names = {row[0] for row in db.execute("SELECT name FROM org")}
    last_v, = db.execute("SELECT v FROM meta").fetchone()
    log_rows = {v: deleted for v, deleted in db.execute("SELECT v, deleted FROM log")}
    db.close()
    assert sorted(log_rows) == list(range(1, last_v + 1)) and status["v"] <= last_v
    assert len(writers.in_doubt) <= 4 * KILLS and len(writers.acknowledged) > KILLS, "hardly anything was written"
    for name, v in writers.acknowledged.items():
        assert abs(v) in log_rows, f"seed {seed}: V {v} of {name} was acknowledged and is not in the log"
        assert name in writers.in_doubt or (name in names) == (v > 0), f"seed {seed}: {name} was acknowledged at V {v} and is {'not ' if v > 0 else ''}there"
    start(lab)  # whatever a backup that was going on left behind goes now
    left = [p.name for p in lab.controller.path(f"{DIR}/backups").iterdir() if p.name.startswith(".")]
    assert not left, left
    for backup in lab.json("backup", "list")["items"]:
        assert offline(lab, "backup", "verify", backup["path"]).returncode == 0, backup
    print(f"   {KILLS} kills, {len(writers.acknowledged)} acknowledged names, V {last_v}, {writers.backups} backups meanwhile, seed {seed}")
