"""The gateway role with real wireguard-go peers: they reach their own network on every machine, their resolver and each other; whatever
else they send arrives nowhere. One cluster: a gateway, a machine that is gateway and host, a host."""
import json
import re
import signal
import socket
import struct
import time

from fixture.cluster import wait_until
from fixture.peer import PATIENCE, Peer

NODES = [("gw-ord", "ord"), ("dev-1", "dev"), ("nrt-1", "nrt")]
GATEWAYS = {"gw-ord": "gateway", "dev-1": "host,gateway"}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
BURST = 4096  # SIXPN_PACE_BURST
NODE_ARGS = ("--questions_per_second", "50")


peers = {}


def prepare(lab):
    lab.deploy("acme", "web", ["nrt", "dev"], SLEEPER)
    lab.deploy("globex", "web", ["nrt"], SLEEPER)
    lab.settle()
    for name, org, gateway, family in (("laptop", "acme", "gw-ord", 4), ("phone", "acme", "gw-ord", 6), ("office", "acme", "dev-1", 4)):
        peers[name] = Peer(lab, org, name, gateway, endpoint=family).connect()


def test_a_peer_reaches_its_network_on_every_machine(lab):
    for name in ("laptop", "office"):
        for host in ("nrt-1", "dev-1"):
            there = lab.instance("acme", "web", host)
            peers[name].reaches(there.address)
            assert there.run("ping", "-6", "-c1", "-W2", "-n", peers[name].address).returncode == 0, f"{host} -> {name}"
    peers["laptop"].reaches(peers["office"].address, "another peer at another gateway")
    peers["phone"].reaches(peers["laptop"].address, "another peer at the same gateway")


def test_the_resolver_of_the_network_answers_ping(lab):
    for peer in peers.values():
        peer.reaches(peer.resolver)


def test_a_peer_hears_what_is_wrong_with_its_packets(lab):
    """Its own kernel takes the gateway's word: packets too big for the 6PN get smaller, and a path can be traced. From `::3` of its
    network, to whatever machine the packet was to go."""
    for name, host in (("laptop", "nrt-1"), ("office", "dev-1"), ("phone", "dev-1")):
        peer, there = peers[name], lab.instance("acme", "web", host)
        peer.reaches(there.address)
        peer.out("ip", "link", "set", "wg0", "mtu", "1500")
        try:
            assert " mtu 1420" not in peer.out("ip", "-6", "route", "get", there.address)
            wait_until(lambda: peer.run("ping", "-6", "-c1", "-W1", "-n", "-M", "do", "-s", "1376", there.address) and
                       " mtu 1420" in peer.out("ip", "-6", "route", "get", there.address), PATIENCE, f"{name}: Packet Too Big, heeded")
            assert peer.run("ping", "-6", "-c1", "-W5", "-n", "-s", "1376", there.address).returncode == 0, f"{name}: in two pieces"
        finally:
            peer.out("ip", "-6", "route", "flush", "cache")
            peer.out("ip", "link", "set", "wg0", "mtu", "1420")
        wait_until(lambda: re.search(f"From {peer.resolver}.*[Tt]ime exceeded", peer.run("ping", "-6", "-c1", "-W1", "-n", "-t", "1", there.address).stdout),
                   PATIENCE, f"{name}: the hop limit ends at the gateway, and that is said")


# ---- names

AAAA, TXT, PTR = 28, 16, 12
QUESTIONS = [("web.internal", AAAA), ("WEB.internal", AAAA), ("dev.web.internal", AAAA), ("web.internal", 1), ("regions.web.internal", TXT),
             ("laptop._peer.internal", AAAA), ("_peer.internal", TXT), ("_instances.internal", TXT), ("_version.internal", TXT),
             ("nobody.internal", AAAA), ("internal", 6), ("top1.nearest.of.web.internal", AAAA), ("localhost", AAAA)]


def ask(place, server, name, kind, tcp=False, patience=2):
    """The bytes of the answer; None: there was none."""
    labels = b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"
    query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 1) + labels + struct.pack(">2H", kind, 1) + b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    with place.socket(socket.AF_INET6, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        try:
            s.connect((server, 53))
            if not tcp:
                s.send(query)
                return s.recv(65536)
            s.sendall(struct.pack(">H", len(query)) + query)
            length, = struct.unpack(">H", s.recv(2, socket.MSG_WAITALL))
            return s.recv(length, socket.MSG_WAITALL)
        except (OSError, struct.error):
            return None


def answered(place, server, *question, **how):
    """Until there is an answer: the first packet of a tunnel may be lost to its handshake."""
    said = []
    wait_until(lambda: said.append(ask(place, server, *question, **how)) or said[-1], PATIENCE, f"an answer of {server} to {question}")
    return said[-1]


def knows_itself(peer, tcp=False):
    """Its own network answers at its resolver."""
    answer = answered(peer, peer.resolver, f"{peer.short}._peer.internal", AAAA, tcp=tcp)
    assert answer[:-11].endswith(socket.inet_pton(socket.AF_INET6, peer.address))  # behind it is the OPT


def test_the_resolver_gives_the_octets_that_instances_hear(lab):
    office, here = peers["office"], lab.instance("acme", "web", "dev-1")
    for tcp in (False, True):
        for question in QUESTIONS:
            heard = answered(office, office.resolver, *question, tcp=tcp)
            assert heard == answered(here, "fdaa::3", *question, tcp=tcp), question
            assert heard == answered(here, office.resolver, *question, tcp=tcp), question


def test_peers_have_names_everywhere_and_backwards(lab):
    laptop, there = peers["laptop"], lab.instance("acme", "web", "nrt-1")
    for name in ("laptop", "phone", "office"):
        assert there.dig(f"{name}._peer.internal", "AAAA") == [peers[name].address]
        assert there.dig("-x", peers[name].address) == [f"{name}._peer.internal."]
    wait_until(lambda: laptop.out("dig", "+short", "+tries=1", f"@{laptop.resolver}", "_peer.internal", "TXT").strip() == '"laptop,office,phone"',
               PATIENCE, "the list of peers")
    assert lab.instance("globex", "web").dig("_peer.internal", "TXT") == []


def test_another_organizations_resolver_is_silent(lab):
    spy = peers["spy"] = Peer(lab, "globex", "spy", "dev-1").connect()
    office = peers["office"]
    knows_itself(spy)
    for tcp in (False, True):
        assert ask(spy, office.resolver, "web.internal", AAAA, tcp=tcp, patience=1) is None
        assert ask(office, spy.resolver, "web.internal", AAAA, tcp=tcp, patience=1) is None
        assert answered(office, office.resolver, "web.internal", AAAA, tcp=tcp)


def test_a_gateway_killed_and_started_answers_its_peers(lab):
    office = peers["office"]
    before = answered(office, office.resolver, "web.internal", AAAA)
    lab.restart_node("dev-1", signal.SIGKILL)
    for tcp in (False, True):
        assert answered(office, office.resolver, "web.internal", AAAA, tcp=tcp) == before


def test_the_resolver_comes_and_goes_with_the_peers_of_its_network(lab):
    def listened():
        return lab.node_status("gw-ord")["dns"]["networks_listened"]

    assert listened() == 1
    guest = Peer(lab, "globex", "guest", "gw-ord")  # applied: its name server is there before the tunnel is
    assert listened() == 2 and lab.node_status("gw-ord")["dns"]["networks_unserved"] == 0
    guest.connect()
    knows_itself(guest, tcp=True)
    lab.sixpn("peer", "delete", "guest", "--org", "globex", "--yes")
    wait_until(lambda: listened() == 1, PATIENCE, "nobody to listen for a network without peers")
    laptop = peers["laptop"]
    assert answered(laptop, laptop.resolver, "web.internal", AAAA)


def flood(place, server):
    """Asks more often than one may, and takes what comes back; how much that was."""
    name = b"\3web\10internal\0" + struct.pack(">2H", AAAA, 1)
    got = 0
    with place.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.connect((server, 53))
        s.setblocking(False)
        for number in range(BURST + 2000):
            s.send(struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + name)
            if number % 8:
                continue
            try:
                while s.recv(2000):
                    got += 1
            except BlockingIOError:
                time.sleep(0.001)  # the queues of a tunnel are short
        s.settimeout(0.5)
        try:
            while s.recv(2000):
                got += 1
        except TimeoutError:
            return got


def test_who_asks_too_often_is_dropped_and_nobody_else(lab):
    office, instance = peers["office"], lab.instance("acme", "web", "dev-1")
    for who, server in ((office, office.resolver), (instance, "fdaa::3")):
        before = lab.drops("dev-1").get("service_pace", 0)
        got = flood(who, server)
        dropped = lab.drops("dev-1").get("service_pace", 0) - before
        assert dropped and 0 < got < BURST + 1000, (got, dropped)
        print(f"   of {BURST + 2000} questions {got} were answered, {dropped} dropped")
        assert answered(who, server, "web.internal", AAAA, tcp=True)  # TCP has limits of its own
    spy = peers["spy"]
    assert answered(spy, spy.resolver, "spy._peer.internal", AAAA)
    for name in ("laptop", "phone"):
        assert answered(peers[name], peers[name].resolver, "web.internal", AAAA)
