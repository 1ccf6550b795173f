"""A peer moves to another gateway and keeps its address: the old tunnel works until the new one is used, then everybody reaches it there,
the old gateway knows it no longer, and nobody else can play it. Elsewhere twice, home again, and on when the home is gone."""
import json
import re
import signal
import socket
import struct
import time

from fixture.api import Api
from fixture.cell import BUILD, Cell
from fixture.cluster import API_NAME, API_PORT, Instance, wait_until
from fixture.judge import Judge
from fixture.packet import probe, token
from fixture.peer import Peer

NODES = [("gw-a", "ord"), ("gw-b", "dev"), ("ord-1", "ord")]
GATEWAYS = {name: "host,gateway" for name, _ in NODES}
PINS, FLOOD = "/sys/fs/bpf/sixpn", BUILD / "tests/net/flood"
PATIENCE = 15

# Whoever connects gets numbered lines, and every one of them, as long as the connection lives.
SERVER = """
import socket, threading, time
s = socket.create_server(("::", 7000), family=socket.AF_INET6)
def serve(c):
    n = 0
    while True:
        c.sendall(b"%d\\n" % n)
        n += 1
        time.sleep(0.02)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""
# Writes how far it is; ends at a gap or with the connection.
CLIENT = """
import os, socket, sys
f, n = socket.create_connection((sys.argv[1], 7000), 10).makefile(), 0
for line in f:
    assert int(line) == n
    n += 1
    with open(sys.argv[2] + ".new", "w") as out:
        out.write(str(n))
    os.rename(sys.argv[2] + ".new", sys.argv[2])
"""
SPEC = {"schema": 1, "command": ["/usr/bin/python3", "-c", SERVER], "drain_ms": 0}


class Mover(Peer):
    """A peer that moves: its device stays, what it says of the gateway changes."""

    neighbour = b""  # on a tunnel nobody has a hardware address

    def ask(self, **wanted):
        """Its new record; nothing is changed at the peer."""
        status, _, record = Api(self.lab).ask("POST", f"/v1/peers/{self.short}/move?org={self.org}&wait=applied&timeout=20s", wanted)
        assert status == 200, (status, record)
        return record

    def switch(self, record):
        """As if the new file were put in the place of the old one."""
        self.out("wg", "set", self.inner, "peer", self.record["gateway_public_key"], "remove")
        self.record = record
        name, port = record["endpoint"].rsplit(":", 1)
        self.out("wg", "set", self.inner, "peer", record["gateway_public_key"], "endpoint", f"{self.lab.internet.address_of(name)}:{port}",
                 "persistent-keepalive", "25", "allowed-ips", "::/0")

    def now(self):
        return Api(self.lab).ask("GET", f"/v1/peers/{self.short}?org={self.org}")[2]

    def move(self, gateway):
        self.switch(self.ask(gateway=gateway))
        wait_until(lambda: self.now()["gateway"] == gateway and not self.now()["moving_to"], PATIENCE, f"{self.name} has arrived at {gateway}")
        applied(self.lab)

    def dig(self, *args):
        return self.out("dig", "+short", "+time=2", "+tries=1", f"@{self.resolver}", *args).splitlines()

    def handshaken(self):
        """When it last shook hands with its gateway, in seconds of Unix time; 0 = never."""
        return int(self.out("wg", "show", self.inner, "latest-handshakes").split()[-1])


class Twin(Mover):
    """Another machine with somebody's file."""

    def __init__(self, of, record, endpoint):
        Cell.__init__(self, "twin", of.lab.logs)
        of.lab.cells[self.name] = self
        of.lab.internet.plug(self, 100 + len(of.lab.cells), "eth0")
        self.lab, self.private, self.address, self.record, self.endpoint = of.lab, of.private, of.address, record, endpoint


def applied(lab):
    """Everybody has everything that was written so far."""
    api = Api(lab)
    version = api.ask("GET", "/v1/peers?org=acme")[1]
    reply = api.ask("GET", f"/v1/wait?v={version}&timeout=20s")
    assert reply[0] == 200, reply


def answers(place, address, tries=1):
    return place.run("ping", "-6", "-n", f"-c{tries}", "-i0.1", "-W1", address).returncode == 0


def keys_at(lab, name):
    return lab.nodes[name].out("wg", "show", "sixpn-peers", "peers").split()


def moved_entries(lab, name):
    return [json.loads(lab.nodes[name].out("bpftool", "-j", "map", "dump", "pinned", f"{PINS}/sixpn_v1_moved_{which}"))
            for which in ("here", "away")]


def moved_routes(lab, name):
    return re.findall(r"^\S+/120 dev \S+", lab.nodes[name].out("ip", "-6", "route", "show", "table", "6000"), re.M)


def all_reach(lab, peer):
    for record in lab.instances("acme", "web"):
        instance = Instance(lab, record)
        wait_until(lambda: answers(peer, instance.address), PATIENCE, f"{peer.name} reaches {instance.name}")
        assert answers(instance, peer.address, 3), f"{instance.name} does not reach {peer.name}"
    assert peer.dig("laptop._peer.internal", "AAAA") == [peer.address]


def mended(lab, look=False):
    """What the drift timers have put right so far (with `look`: after one more look of each): an apply that leaves something behind must
    not be saved by them."""
    before = {name: lab.node_status(name)["drift"]["rounds"] for name in lab.nodes}
    wait_until(lambda: not look or all(lab.node_status(n)["drift"]["rounds"] > r for n, r in before.items()), PATIENCE, "the timers have looked")
    return {name: lab.node_status(name)["drift"]["repairs"] for name in lab.nodes}


class Stream:
    """One TCP connection from the peer to an instance."""

    def __init__(self, peer, instance):
        self.path = peer.path("/run/stream")
        self.process = peer.popen("python3", "-c", CLIENT, instance.address, "/run/stream")
        self.goes_on()

    def lines(self):
        return int(self.path.read_text()) if self.path.exists() else 0

    def goes_on(self):
        """The same connection has more to say, and nothing between was lost."""
        before = self.lines()
        wait_until(lambda: self.lines() > before + 5, PATIENCE, "the stream goes on")
        assert self.process.poll() is None


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "ord", "dev"], SPEC)
    lab.deploy("globex", "web", ["dev"], SPEC)
    lab.settle()
    assert len({i["host"] for i in lab.instances("acme", "web")}) == 3
    lab.laptop, lab.phone, lab.stranger, lab.late = (Mover(lab, org, name, gateway).connect() for org, name, gateway in (
        ("acme", "laptop", "gw-a"), ("acme", "phone", "gw-b"), ("globex", "stranger", "gw-b"), ("acme", "late", "gw-a")))
    lab.address = lab.laptop.address
    lab.stream = Stream(lab.laptop, lab.instance("acme", "web", "ord-1"))


def test_a_new_file_differs_in_endpoint_and_public_key_alone(lab):
    owner = lab.internet.customer("owner")
    owner.log_in(lab.secret("token", "create", "--org", "acme", "--profile", "peers", "--name", "owner"), f"http://{API_NAME}:{API_PORT}")
    done = owner.sixpn("peer", "create", "tablet", "--gateway", "gw-a", "-o", "tablet.conf")
    assert done.returncode == 0, done.stderr
    done = owner.sixpn("peer", "move", "tablet", "--gateway", "gw-b", "--from", "tablet.conf", "-o", "new.conf")
    assert done.returncode == 0, done.stderr
    old, new = ([line for line in owner.file(name).splitlines() if not line.startswith("#")] for name in ("tablet.conf", "new.conf"))
    differ = [(a, b) for a, b in zip(old, new) if a != b]
    assert len(old) == len(new) and sorted(a.split(" = ")[0] for a, _ in differ) == ["Endpoint", "PublicKey"], differ
    assert owner.sixpn("peer", "delete", "tablet", "--yes").returncode == 0


def test_the_old_tunnel_works_until_the_new_one_is_used(lab):
    new = lab.laptop.ask(gateway="gw-b")
    assert (new["gateway"], new["moving_to"], new["address"]) == ("gw-a", "gw-b", lab.address)
    assert lab.laptop.public in keys_at(lab, "gw-a") and lab.laptop.public in keys_at(lab, "gw-b")
    all_reach(lab, lab.laptop)
    lab.stream.goes_on()
    assert moved_entries(lab, "gw-b") == [[], []], "a gateway that only waits for it carries nothing of it"
    lab.old_file = lab.laptop.record, lab.laptop.endpoint
    lab.laptop.switch(new)
    wait_until(lambda: lab.laptop.now()["gateway"] == "gw-b", PATIENCE, "it has arrived")


def test_it_is_reached_where_it_is_now_under_the_same_address_and_its_connection_lives(lab):
    applied(lab)
    all_reach(lab, lab.laptop)
    assert lab.laptop.now()["address"] == lab.address
    for peer, address in ((lab.phone, lab.address), (lab.laptop, lab.late.address)):  # peers of both gateways
        wait_until(lambda: answers(peer, address), PATIENCE, f"{peer.name} reaches {address}")
    lab.stream.goes_on()


def test_the_old_gateway_accepts_nothing_of_it_any_more(lab):
    assert lab.laptop.public not in keys_at(lab, "gw-a")
    assert [len(m) for m in moved_entries(lab, "gw-a")] == [0, 1] and [len(m) for m in moved_entries(lab, "gw-b")] == [1, 0]
    assert len(moved_routes(lab, "gw-a")) == 1
    twin = Twin(lab.laptop, *lab.old_file).connect()
    assert not answers(twin, lab.instance("acme", "web", "gw-a").address, 2) and not twin.handshaken()
    twin.stop()  # it would be let in again when the true one comes home
    lab.stream.goes_on()


def send_as_home(lab, source, destination):
    """As the old gateway could, taken over: past its own programs' origin checks, with the mark."""
    def work():
        with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x6b)
            mark = token()
            s.sendto(probe("udp", source, destination, mark, 7777), (destination, 0))
            return mark
    return lab.nodes["gw-a"].call(work)


def test_nobody_else_plays_it_neither_other_peers_nor_other_orgs_nor_its_home(lab):
    targets = [lab.instance("acme", "web", name) for name in ("gw-a", "gw-b", "ord-1")]
    beside = lab.instance("acme", "web", "gw-a")
    with Judge(lab) as judge:
        for target in targets:
            capture, forged = judge.listen(target), []
            for origin in [lab.phone, lab.stranger, lab.late] + ([beside] if target.id != beside.id else []):
                forged += [judge.send(origin, lab.address, target.address, kind) for kind in ("udp", "icmp") for _ in range(3)]
            if target.id != beside.id:
                forged += [send_as_home(lab, lab.address, target.address) for _ in range(3)]
            assert judge.arrives(lab.laptop, target), "the true one"
            packets = b"".join(capture.drain())
            assert not [f for f in forged if f in packets], f"somebody played it at {target.name}"
    assert lab.drops("gw-b").get("source_is_self", 0) >= 3, lab.drops("gw-b")


def test_a_home_where_nothing_lives_any_more_may_not_speak_in_the_network(lab):
    guest, there = Mover(lab, "globex", "guest", "gw-a").connect(), lab.instance("globex", "web", "gw-b")
    guest.reaches(there.address)
    guest.move("gw-b")
    guest.move("ord-1")
    applied(lab)
    with Judge(lab) as judge:
        capture = judge.listen(there)
        forged = [send_as_home(lab, guest.address.rsplit(":", 2)[0] + ":99:2", there.address) for _ in range(5)]
        assert judge.arrives(guest, there), "the true one, carried by a third"
        packets = b"".join(capture.drain())
        assert not [f for f in forged if f in packets], "its home speaks for others"
    assert lab.drops("gw-b").get("presence_missing", 0) >= 5, lab.drops("gw-b")
    assert Api(lab).ask("DELETE", "/v1/peers/guest?org=globex")[0] == 200
    guest.stop()
    applied(lab)


def test_restarts_of_both_gateways_lose_nothing_of_it(lab):
    there = lab.instance("acme", "web", "ord-1")
    flood = lab.laptop.popen(FLOOD, there.address, "200", "100", stdout=-1, text=True)
    for name in ("gw-b", "gw-a"):
        lab.restart_node(name, signal.SIGKILL)
    lab.laptop.signal("flood", signal.SIGTERM)  # it went on until both were back
    result = json.loads(flood.communicate(timeout=60)[0])
    assert result["lost"] == 0 and result["received"] == result["sent"], result
    lab.stream.goes_on()
    assert [len(m) for m in moved_entries(lab, "gw-b")] == [1, 0]


def test_a_node_that_has_not_heard_of_a_move_sends_to_its_home_which_drops_it(lab):
    late, near = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "gw-b")
    dropped = lab.drops("gw-b").get("source_not_local", 0)
    lab.nodes["ord-1"].signal("sixpn-node", signal.SIGSTOP)
    try:
        lab.phone.switch(Api(lab).ask("POST", "/v1/peers/phone/move?org=acme", {"gateway": "gw-a"})[2])
        wait_until(lambda: lab.phone.now()["gateway"] == "gw-a", PATIENCE, "it has arrived")
        wait_until(lambda: answers(near, lab.phone.address), PATIENCE, "it is reached from a node that has heard")
        assert not answers(late, lab.phone.address, 3)
        assert lab.drops("gw-b").get("source_not_local", 0) > dropped, lab.drops("gw-b")
    finally:
        lab.nodes["ord-1"].signal("sixpn-node", signal.SIGCONT)
    wait_until(lambda: answers(late, lab.phone.address), PATIENCE, "it is reached from there too")
    lab.phone.move("gw-b")


def test_what_is_taken_away_in_the_kernel_comes_back(lab):
    home = lab.nodes["gw-a"]
    home.out("sh", "-c", "ip -6 route del $(ip -6 route show table 6000 | grep -o '^[^ ]*/120') table 6000")
    wait_until(lambda: len(moved_routes(lab, "gw-a")) == 1, PATIENCE, "the way from its home")
    key = " ".join(f"{b:#04x}" for b in socket.inet_pton(socket.AF_INET6, lab.address)[:15] + b"\0")
    lab.nodes["gw-b"].out("sh", "-c", f"bpftool map delete pinned {PINS}/sixpn_v1_moved_here key {key}")
    wait_until(lambda: [len(m) for m in moved_entries(lab, "gw-b")] == [1, 0], PATIENCE, "the entry at its carrier")
    all_reach(lab, lab.laptop)


def test_it_moves_on_and_home_again(lab):
    before = mended(lab)
    lab.laptop.move("ord-1")
    all_reach(lab, lab.laptop)
    lab.stream.goes_on()
    assert [len(m) for m in moved_entries(lab, "gw-b")] == [0, 1] and lab.laptop.public not in keys_at(lab, "gw-b")
    lab.laptop.move("gw-a")
    all_reach(lab, lab.laptop)
    lab.stream.goes_on()
    for name in lab.nodes:
        assert moved_entries(lab, name) == [[], []] and not moved_routes(lab, name), name
    assert mended(lab, look=True) == before, "something was left for the timers to put right"


def test_it_lives_on_when_its_home_is_dead_and_deleted(lab):
    lab.laptop.move("ord-1")
    lab.stop_node("gw-a", signal.SIGKILL)
    lab.nodes["gw-a"].out("ip", "link", "set", "eth0", "down")
    wait_until(lambda: next(n for n in lab.json("status")["nodes"] if n["name"] == "gw-a")["state"] == "unknown", 30, "gw-a is unknown")
    lab.late.switch(lab.late.ask(gateway="gw-b"))  # nobody is left to wait for: it has moved at once
    assert lab.late.now()["gateway"] == "gw-b" and not lab.late.now()["moving_to"]
    lab.sixpn("node", "delete", "gw-a", "--force", "--yes")
    applied(lab)
    for peer in (lab.laptop, lab.late):
        for name in ("ord-1", "gw-b"):
            instance = lab.instance("acme", "web", name)
            wait_until(lambda: answers(peer, instance.address), PATIENCE, f"{peer.name} reaches {name}")
            assert answers(instance, peer.address, 3), f"{name} does not reach {peer.name}"
    lab.restart_node("ord-1", signal.SIGKILL)
    assert answers(lab.instance("acme", "web", "gw-b"), lab.address, 3)
    lab.stream.goes_on()
