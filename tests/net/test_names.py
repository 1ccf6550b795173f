"""Names are never denied that exist, and say how old they are: a name server that is restarted, has lost its state, has just joined or
hears of a network for the first time is asked all the while."""
import collections
import re
import signal
import socket
import struct
import threading
import time

from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
AAAA, TXT = 28, 16
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
QUESTIONS = [("nrt.web.internal", AAAA), ("ord.web.internal", AAAA), ("web.internal", AAAA), ("regions.web.internal", TXT),
             ("all.vms.web.internal", TXT), ("_apps.internal", TXT)]

# An instance that asks from its first moment on, and writes rcode and number of answers of each.
EARLY = r"""
import socket, struct, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(0.5)
s.connect(("fdaa::3", 53))
said = []
for i in range(300):
    s.send(struct.pack(">6H", i, 0x100, 1, 0, 0, 0) + b"\3web\10internal\0" + struct.pack(">2H", 28, 1))
    try:
        head = struct.unpack(">6H", s.recv(2000)[:12])
        said.append((head[1] & 15, head[3]))
    except OSError:
        said.append(None)
    time.sleep(0.005)
print("EARLY", " ".join("-" if x is None else "%d/%d" % x for x in said), flush=True)
time.sleep(100000)
"""


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("globex", "web", ["ord"], SLEEPER)
    lab.settle()


def question(number, name, kind):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + struct.pack(">2H", kind, 1)


class Asker:
    """Asks all QUESTIONS all the time, from an instance; what is not answered in 0.2 s is lost, which is no lie."""

    def __init__(self, place):
        self.socket = place.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.settimeout(0.2)
        self.socket.connect(("fdaa::3", 53))
        self.said, self.stopped = collections.Counter(), False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        number = 0
        while not self.stopped:
            for name, kind in QUESTIONS:
                number = (number + 1) % 65536
                self.said[self._ask(number, name, kind)] += 1
            time.sleep(0.002)

    def _ask(self, number, name, kind):
        try:
            self.socket.send(question(number, name, kind))
            while True:
                got, flags, _, answers = struct.unpack(">4H", self.socket.recv(65536)[:8])
                if got == number:
                    return flags & 15, name if flags & 15 or not answers else "answered"
        except OSError:
            return None, "lost"

    def answered(self):
        return self.said[NOERROR, "answered"]

    def wait_for(self, more):
        end = self.answered() + more
        wait_until(lambda: self.answered() >= end, 20, f"{more} more answers")

    def stop(self):
        self.stopped = True
        self.thread.join()
        self.socket.close()
        return self.said


def only(said, *allowed):
    wrong = {k: n for k, n in said.items() if k[1] not in ("answered", "lost") and k[0] not in allowed}
    assert not wrong, wrong
    print(f"   {said[NOERROR, 'answered']} answers, {sum(n for k, n in said.items() if k[0] == SERVFAIL)} SERVFAIL, "
          f"{said[None, 'lost']} lost, nothing denied")


def freshness(place, tcp=False):
    line, = place.dig("_sync.internal", "TXT", tcp=tcp)
    v, age, state = re.fullmatch(r'"v=(\d+),age_ms=(\d+|unknown),controller=(up|down)"', line).groups()
    return int(v), age if age == "unknown" else int(age), state


def version(place, tcp=False):
    return int(place.dig("_version.internal", "TXT", tcp=tcp)[0].strip('"'))


def stop_controller(lab):
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()


def test_a_daemon_killed_again_and_again_denies_nothing(lab):
    asker = Asker(lab.instance("acme", "web", "ord-1"))
    try:
        for _ in range(5):
            lab.restart_node("ord-1", signal.SIGKILL)
            asker.wait_for(60)
    finally:
        said = asker.stop()
    only(said)  # not even SERVFAIL: its own file is served from the first question on


def test_without_a_controller_too(lab):
    asker = Asker(lab.instance("acme", "web", "ord-1"))
    stop_controller(lab)
    try:
        for _ in range(3):
            lab.stop_node("ord-1", signal.SIGKILL)
            lab.start_node("ord-1")
            asker.wait_for(60)
    finally:
        said = asker.stop()
        lab.start_controller()
        wait_until(lab.ready, 20, "nodes are back")
    only(said)


def test_g17_age_and_controller_are_told(lab):
    here = lab.instance("acme", "web", "ord-1")
    wait_until(lambda: freshness(here)[2] == "up", 10, "up")
    v, age, state = freshness(here, tcp=True)
    assert v == version(here) == version(here, tcp=True) and v > 0
    stop_controller(lab)
    wait_until(lambda: freshness(here)[2] == "down", 20, "down")
    before = freshness(here)[1]
    time.sleep(0.3)
    assert freshness(here)[1] >= before + 300
    lab.stop_node("ord-1", signal.SIGKILL)  # a restart makes nothing younger
    lab.start_node("ord-1")
    wait_until(lambda: lab.answers("ord-1"), 10, "the daemon is up")
    again = freshness(here)
    assert again[2] == "down" and again[1] >= before + 300 and again[0] == v, (before, again)
    assert "EDE: 3" in here.out("dig", "+time=2", "+tries=1", "@fdaa::3", "web.internal", "AAAA")
    lab.start_controller()
    wait_until(lab.ready, 20, "nodes are back")
    wait_until(lambda: freshness(here)[2] == "up", 10, "up again")
    assert "EDE" not in here.out("dig", "+time=2", "+tries=1", "@fdaa::3", "web.internal", "AAAA")


def test_g17_a_lost_connection_is_told_long_before_patience_ends(lab):
    here = lab.instance("acme", "web", "ord-1")
    stop_controller(lab)
    lab.park_ms = 20000  # so patience is 40 s
    lab.start_controller()
    wait_until(lab.ready, 20, "nodes are back")
    wait_until(lambda: freshness(here)[2] == "up", 10, "up at once, though nobody has news for 20 s")
    stop_controller(lab)
    wait_until(lambda: freshness(here)[2] == "down", 15, "down")
    assert freshness(here)[1] < 40000
    lab.park_ms = 2000
    lab.start_controller()
    wait_until(lab.ready, 20, "nodes are back")


def test_g17_a_controller_that_hangs_is_told(lab):
    here = lab.instance("acme", "web", "ord-1")
    wait_until(lambda: freshness(here)[2] == "up", 10, "up")
    lab.controller.signal("sixpn-controller", signal.SIGSTOP)
    try:
        wait_until(lambda: freshness(here)[2] == "down", 20, "down, though the connection is there")
        assert here.dig("nrt.web.internal", "AAAA"), "names go on"
    finally:
        lab.controller.signal("sixpn-controller", signal.SIGCONT)
    wait_until(lambda: freshness(here)[2] == "up", 20, "up again")


def test_g17_a_version_is_that_of_ones_own_network(lab):
    acme, globex = lab.instance("acme", "web", "ord-1"), lab.instance("globex", "web", "ord-1")
    ours, theirs = version(acme), version(globex)
    lab.sixpn("app", "create", "fresh", "--org", "acme")
    wait_until(lambda: version(acme) > ours, 10, "the version of the network that changed")
    assert acme.rcode("fresh.internal", "AAAA") == ("NOERROR", 0)
    assert version(globex) == theirs
    raised = version(acme)
    lab.sixpn("app", "delete", "fresh", "--org", "acme", "--yes")
    wait_until(lambda: version(acme) > raised, 10, "a delete raises it too")
    lab.restart_node("ord-1", signal.SIGKILL)
    assert version(acme) > raised


def test_a_reserved_address_has_a_name_in_its_network_and_nothing_answers_there(lab):
    here, there, stranger = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1"), lab.instance("globex", "web")
    reserved = lab.json("ip", "create", "--app", "acme/web")
    address = reserved["address"]
    assert re.fullmatch(r"fdaa:[0-9a-f]+:[0-9a-f]+:0:1::2", address) and "nothing answers there yet" in reserved["note"], reserved
    assert "nothing answers there yet" in lab.sixpn("ip", "list", "--app", "acme/web")
    for place in (here, there):
        assert place.dig("web.flycast", "AAAA") == [address] and place.dig("-x", address) == ["web.flycast."]
        assert place.rcode("web.flycast", "A") == ("NOERROR", 0) and place.rcode("nobody.flycast", "AAAA")[0] == "NXDOMAIN"
    assert stranger.rcode("web.flycast", "AAAA")[0] == "NXDOMAIN"
    before = lab.drops("ord-1").get("destination_host", 0)
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", address).returncode and lab.drops("ord-1").get("destination_host", 0) > before,
               30, "a ping is dropped and counted")
    lab.sixpn("ip", "delete", address, "--yes")
    for place in (here, there):
        assert place.rcode("web.flycast", "AAAA")[0] == "NXDOMAIN"


def test_a_daemon_that_lost_its_state_says_so_and_denies_nothing(lab):
    here = lab.instance("acme", "web", "ord-1")
    asker = Asker(here)
    stop_controller(lab)
    try:
        lab.stop_node("ord-1", signal.SIGKILL)
        for name in ("replica.snapshot", "replica.journal"):
            lab.nodes["ord-1"].path(f"/var/lib/sixpn/node/{name}").unlink()
        lab.start_node("ord-1")
        wait_until(lambda: lab.answers("ord-1"), 10, "the daemon is up")
        assert freshness(here) == (0, "unknown", "down")
        assert here.rcode("web.internal", "AAAA")[0] == "SERVFAIL"
        assert here.rcode("nobody.internal", "AAAA")[0] == "SERVFAIL"
        lab.start_controller()
        asker.wait_for(100)
    finally:
        said = asker.stop()
    only(said, SERVFAIL)
    wait_until(lab.ready, 20, "nodes are back")


def test_a_machine_that_has_just_joined_denies_nothing(lab):
    lab.table.append(("dev-1", "dev"))
    cell = lab.nodes["dev-1"] = lab._cell("dev-1")
    lab._plug(cell, 10 + len(lab.table))
    cell.run("hostname", "dev-1")
    lab.sixpn("region", "create", "dev")
    lab.join("dev-1", lab.secret("node", "token", "create", "--region", "dev"))
    wait_until(lab.ready, 20, "dev-1 is ready")
    lab.deploy("acme", "early", ["dev"], {**SLEEPER, "command": ["/usr/bin/python3", "-c", EARLY]})
    lab.settle()
    record, = lab.instances("acme", "early")
    said = wait_until(lambda: re.search(r"EARLY (.*)", cell.path(f"/run/sixpn/instances/{record['id']}/log").read_text()), 20, "its log")
    words = collections.Counter(said.group(1).split())
    assert not [w for w in words if w.startswith(f"{NXDOMAIN}/") or w == "0/0"], words
    assert words["0/2"] > 200, words  # both instances of web
    print(f"   from its first moment on: {dict(words)}")
