"""What peers may not do: every packet that is not of their own /120 into their own network arrives nowhere, judged by the captures of all
receivers, each of which also gets a control. There are three locks (WireGuard's cryptokey routing, our programs, and the gate of nftables
with the routing table behind the mark); each is tried with the others removed. With clsact first, then with TCX."""
import itertools
import re
import socket
import struct
import time

from fixture import packet, shapes
from fixture.cluster import Instance, Skip, wait_until
from fixture.peer import PATIENCE, Peer

NODES = [("gw-ord", "ord"), ("dev-1", "dev"), ("nrt-1", "nrt")]
GATEWAYS = {"gw-ord": "gateway", "dev-1": "host,gateway"}
NEVER = ("--repair_interval_ms", "3600000")  # what a test takes away stays away
NODE_ARGS = ("--attach", "clsact", *NEVER)
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
PORT = 7777
places = {}
SOME = (shapes.echo, shapes.udp, shapes.tcp, shapes.first_fragment, shapes.later_fragment, shapes.options, shapes.esp)


def prepare(lab):
    for org in ("acme", "globex"):
        lab.deploy(org, "web", ["nrt", "dev"], SLEEPER)
    lab.settle()
    for name, org, gateway in (("laptop", "acme", "gw-ord"), ("phone", "acme", "gw-ord"), ("office", "acme", "dev-1"),
                               ("spy", "globex", "gw-ord"), ("mole", "globex", "dev-1")):
        places[name] = Peer(lab, org, name, gateway).connect()
    for record in lab.instances():
        places[f"{record['org']}-{record['region']}"] = place = Instance(lab, record)
        place.org = record["org"]
    for a, b in pairs(same=True):
        wait_until(lambda a=a, b=b: a.run("ping", "-6", "-c1", "-W1", "-n", b.address).returncode == 0, PATIENCE, f"{a.name} to {b.name}")


def pairs(same, origins=None):
    return [(a, b) for a, b in itertools.permutations(places.values(), 2) if (a.org == b.org) == same and (origins is None or a in origins)]


def peers():
    return [p for p in places.values() if isinstance(p, Peer)]


class Field:
    """Captures at every receiver and a listener on every gateway's machine."""

    def __enter__(self):
        self.captures = {p.id: packet.Capture(p, p.inner) for p in places.values()}
        self.sent, self.listeners = [], []
        return self

    def __exit__(self, *_):
        for thing in [*self.captures.values(), *self.listeners]:
            thing.close()

    def listen_on(self, *cells):
        """Services of the machine itself, in both families."""
        for cell in cells:
            for family, anybody in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
                s = cell.socket(family, socket.SOCK_DGRAM)
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind((anybody, PORT))
                s.setblocking(False)
                self.listeners.append(s)

    def forge(self, origin, made, what):
        token = packet.token()
        origin.raw(made(token))
        self.sent.append((token, f"{origin.name}: {what}"))

    def control(self):
        """What is sent now comes later than all before it; each receiver has to get it."""
        for target in places.values():
            friend = next(p for p in peers() if p.org == target.org and p is not target)
            capture, end = self.captures[target.id], time.monotonic() + PATIENCE
            while True:
                token = packet.token()
                friend.raw(packet.probe("udp", friend.address, target.address, token))
                if capture.wait_for(token, 0.5):
                    break
                assert time.monotonic() < end, f"the control from {friend.name} does not reach {target.name}"

    def arrived(self):
        seen = b"".join(p for c in self.captures.values() for p in c.drain())
        for s in self.listeners:
            try:
                while True:
                    seen += s.recv(65535)
            except BlockingIOError:
                pass
        return [what for token, what in self.sent if token in seen]


def resolver(place):
    return ":".join(place.address.split(":")[:3]) + "::3"


def ipv4(source, destination, token):
    body = struct.pack("!HHHH", 40000, PORT, 8 + len(token), 0) + token
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", packet.checksum(head)) + head[12:] + body


def into_other_networks(field, origin, sources):
    for target in (p for p in places.values() if p.org != origin.org):
        for source, form, shape in itertools.product(sources(origin, target), (str, packet.swap), SOME):
            field.forge(origin, lambda t: shape(source, form(target.address), t), f"{shape.__name__} {source} > {form(target.address)}")


def within_the_own_network(field, origin, sources):
    for target in (p for p in places.values() if p.org == origin.org and p is not origin):
        for source in sources(origin, target):
            for shape in SOME:
                field.forge(origin, lambda t: shape(source, target.address, t), f"{shape.__name__} {source} > {target.address}")
        for shape in SOME:
            field.forge(origin, lambda t: shape(origin.address, packet.swap(target.address), t), f"{shape.__name__} > mesh form of {target.name}")
            field.forge(origin, lambda t: shape(packet.swap(origin.address), target.address, t), f"{shape.__name__} from its own mesh form")
        for shape in (shapes.hop_by_hop, shapes.routing_0, shapes.routing_4):
            field.forge(origin, lambda t: shape(origin.address, target.address, t), f"{shape.__name__} > {target.name}")


def at_machines_and_everybody(lab, field, origin):
    gateway = origin.record["gateway"]
    under = lab.underlay_address(gateway)
    six = f"fd80:6:6::{11 + [n for n, _ in NODES].index(gateway)}"
    for destination in ("ff02::1", "ff02::2", "ff0e::1", "fe80::1", "::1", "fdaa::3", "fdaa::1:2", six, "2001:db8:6::b", resolver(origin)):
        for source in (origin.address, "fe80::1", "::", "::1"):
            field.forge(origin, lambda t: packet.probe("udp", source, destination, t, PORT), f"udp {source} > {destination}")
    for source, destination in itertools.product(("10.9.9.9", under, "127.0.0.1"), (under, "127.0.0.1", "255.255.255.255", "224.0.0.1")):
        field.forge(origin, lambda t: ipv4(source, destination, t), f"IPv4 {source} > {destination}")


def every_source(origin, target):
    friend = next(p for p in places.values() if p.org == target.org and p is not target and p is not origin)
    return {origin.address, target.address, friend.address, resolver(origin), resolver(target), "fdaa::3", "::1", "fe80::1", "::", "ff02::1"}


def but_its_own(origin, target):
    return {s for s in every_source(origin, target) if s != origin.address}


def attack(lab, sources=every_source, origins=None):
    """Everything at once; how many packets that were. None of them arrives."""
    with Field() as field:
        field.listen_on(*(lab.nodes[n] for n in GATEWAYS))
        for origin in origins or peers():
            into_other_networks(field, origin, sources)
            within_the_own_network(field, origin, lambda o, t: {s for s in sources(o, t) if s != o.address})
            at_machines_and_everybody(lab, field, origin)
        field.control()
        time.sleep(0.1)
        arrived = field.arrived()
        assert not arrived, arrived[:20]
        return len(field.sent)


# ---- what may


def test_everything_of_the_own_address_block_reaches_the_own_network(lab):
    with Field() as field:
        for origin, target in pairs(same=True, origins=peers()):
            for shape in (*SOME, shapes.largest):
                token = packet.token()
                origin.raw(shape(origin.address, target.address, token))
                assert field.captures[target.id].wait_for(token, 5), f"{shape.__name__}: {origin.name} to {target.name}"
            token = packet.token()  # flyctl's own stack sends from the first address of its block
            origin.raw(packet.probe("udp", origin.address[:-2] + "00", target.address, token))
            assert field.captures[target.id].wait_for(token, 5), f"the first address: {origin.name} to {target.name}"


# ---- what may not


def test_forged_packets_arrive_nowhere(lab):
    print(f"      {attack(lab)} packets, 0 arrived")


def bpf(lab):
    return {n: lab.nodes[n] for n in GATEWAYS}


def test_without_the_gate_of_nftables_the_programs_hold(lab):
    """WireGuard's own lock is opened too, by hand: every source is let in. What only that lock can tell apart is left out: a peer of the
    same gateway and another network in whose name somebody speaks to that network."""
    for name in GATEWAYS:
        cell = lab.nodes[name]
        cell.out("sh", "-c", "nft delete table inet sixpn; nft delete table arp sixpn 2>/dev/null || true")
        for peer in peers():
            if peer.record["gateway"] == name and peer.short in ("laptop", "mole"):
                cell.out("wg", "set", "sixpn-peers", "peer", peer.public, "allowed-ips", "::/0,0.0.0.0/0")

    def sources(origin, target):
        return {s for s in but_its_own(origin, target) if not in_its_name(lab, origin, s, target)}

    try:
        for alone in ("laptop", "mole"):  # ::/0 has one owner per device, and the others keep their /120
            print(f"      {attack(lab, sources, [places[alone]])} packets of {alone}, 0 arrived")
        dropped = lab.drops("gw-ord")
        for reason in ("source_network", "destination_network", "too_short", "source_not_local", "destination_outside", "hop_by_hop",
                       "routing_header"):
            assert dropped.get(reason), f"the program of gw-ord dropped nothing as {reason}: {dropped}"
    finally:
        for name in GATEWAYS:
            lab.restart_node(name)


def in_its_name(lab, origin, source, target):
    """Would the packet be good, had it come from whoever has that address behind this gateway?"""
    host = origin.address.split(":")[3:5]
    return source.split(":")[3:5] == host and source.split(":")[:3] == target.address.split(":")[:3]


def nothing_passes(lab, names):
    with Field() as field:
        field.listen_on(*(lab.nodes[n] for n in names))
        for origin in (p for p in peers() if p.record["gateway"] in names):
            for target in (p for p in places.values() if p is not origin):
                for shape in SOME:
                    field.forge(origin, lambda t: shape(origin.address, target.address, t), f"{shape.__name__} > {target.name}")
            at_machines_and_everybody(lab, field, origin)
            assert not origin.pings(resolver(origin))
            assert origin.run("dig", "+time=1", "+tries=1", f"@{resolver(origin)}", "web.internal", "AAAA").returncode
        time.sleep(0.3)
        arrived = field.arrived()
        assert not arrived, arrived[:20]


def gate_drops(cell):
    return int(re.search(r"drops \{\s+packets (\d+)", cell.out("nft", "list", "counters")).group(1))


def test_without_the_programs_nothing_passes_at_all(lab):
    cell = lab.nodes["gw-ord"]
    before = gate_drops(cell)
    cell.out("tc", "qdisc", "del", "dev", "sixpn-peers", "clsact")
    try:
        nothing_passes(lab, ["gw-ord"])
        assert gate_drops(cell) > before, "the gate counted nothing"
        cell.out("sh", "-c", "nft delete table inet sixpn")  # and without the gate there is still no way without the mark
        with Field() as field:
            for target in (p for p in places.values() if p is not places["laptop"]):
                for shape in SOME:
                    field.forge(places["laptop"], lambda t: shape(places["laptop"].address, target.address, t), f"{shape.__name__} > {target.name}")
            time.sleep(0.3)
            assert not field.arrived()
    finally:
        lab.restart_node("gw-ord")
    with Field() as field:
        field.control()


def lacks_tcx(lab):
    return "EOPNOTSUPP" in (lab.logs / "gw-ord-node.log").read_text()


def test_the_same_with_tcx(lab):
    lab.node_args = ("--attach", "tcx", *NEVER)
    for name in lab.nodes:
        lab.stop_node(name)
        lab.start_node(name)
    wait_until(lambda: lacks_tcx(lab) or all(lab.answers(n) and lab.node_status(n)["sync"]["synced"] for n in lab.nodes), PATIENCE,
               "all nodes with TCX, or the word that there is none")
    if lacks_tcx(lab):
        raise Skip("this kernel has no TCX")
    kinds = {a["kind"] for n in GATEWAYS for a in lab.node_status(n)["bpf"]["attached"]}
    assert kinds == {"tcx"}, kinds
    print(f"      {attack(lab)} packets, 0 arrived")
