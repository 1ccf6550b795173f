"""Isolation and connectivity on real packets with the classic attachment (clsact, what Debian 12's own kernel has; the demo runs
with whatever the kernel offers best): every ordered pair, every protocol, true and forged sources, both forms of the address."""
import itertools
import re
import struct
import time

from fixture import packet
from fixture.cluster import Instance
from fixture.judge import Judge

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
NODE_ARGS = ("--attach", "clsact", "--repair_interval_ms", "3600000")  # what a test takes away stays away
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}


def prepare(lab):
    for org in ("acme", "globex"):
        lab.deploy(org, "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


def everybody(lab):
    return {(i["org"], i["region"]): Instance(lab, i) for i in lab.instances()}


def fragment(source, destination, token):
    """The first fragment of a UDP datagram: next header 44, then the fragment header."""
    body = struct.pack("!BBHI", packet.UDP, 0, 1, 7) + struct.pack("!HHHH", 40000, 7777, 64, 0) + token + bytes(40)
    return packet.ipv6(source, destination, 44, body)


def options(source, destination, token):
    """UDP behind a destination options header of padding."""
    udp = packet.with_checksum(source, destination, packet.UDP, struct.pack("!HHHH", 40000, 7777, 8 + len(token), 0) + token, 6)
    return packet.ipv6(source, destination, 60, struct.pack("!BBBB", packet.UDP, 0, 1, 4) + bytes(4) + udp)


def esp(source, destination, token):
    return packet.ipv6(source, destination, 50, struct.pack("!II", 1, 1) + token + bytes(16))


def large(source, destination, token):
    """As large as the MTU allows."""
    payload = token + bytes(1420 - 48 - len(token))
    return packet.ipv6(source, destination, packet.UDP, packet.with_checksum(
        source, destination, packet.UDP, struct.pack("!HHHH", 40000, 7777, 8 + len(payload), 0) + payload, 6))


SHAPES = [lambda s, d, t, k=k: packet.probe(k, s, d, t) for k in ("icmp", "udp", "tcp")] + [fragment, options, esp, large]


def send(judge, origin, made):
    wire = judge.wires.setdefault(origin.id, packet.Wire(origin, "6pn0"))
    wire.send(made, origin.neighbour)


def test_the_programs_are_attached_by_clsact(lab):
    for name in lab.nodes:
        attached = lab.node_status(name)["bpf"]["attached"]
        assert {a["kind"] for a in attached} == {"clsact"}, attached
        assert all(a["current"] for a in attached)


def test_every_pair_of_one_network_reaches_each_other_with_everything(lab):
    all_of = everybody(lab)
    with Judge(lab) as judge:
        for (from_key, origin), (to_key, target) in itertools.permutations(all_of.items(), 2):
            if from_key[0] != to_key[0]:
                continue
            assert judge.arrives(origin, target, 5), f"{from_key} to {to_key}"
            for shape in SHAPES:
                token = packet.token()
                send(judge, origin, shape(origin.address, target.address, token))
                assert judge.captures[target.id].wait_for(token, 2), f"{shape.__name__}: {from_key} to {to_key}"


def test_no_pair_of_two_networks_reaches_each_other_with_anything(lab):
    all_of = everybody(lab)
    sent = []
    with Judge(lab) as judge:
        for target in all_of.values():
            judge.listen(target)
        for (from_key, origin), (to_key, target) in itertools.permutations(all_of.items(), 2):
            if from_key[0] == to_key[0]:
                continue
            friend = next(i for k, i in all_of.items() if k[0] == to_key[0] and k != to_key)
            for source, form, shape in itertools.product((origin.address, friend.address, target.address, "fdaa::3", "::1"),
                                                         (str, packet.swap), SHAPES):
                token = packet.token()
                send(judge, origin, shape(source, form(target.address), token))
                sent.append((token, from_key, to_key, source))
        for (from_key, origin), (to_key, target) in itertools.permutations(all_of.items(), 2):
            if from_key[0] == to_key[0]:
                assert judge.arrives(origin, target, 5), "the control does not pass"
        time.sleep(0.1)
        for capture in judge.captures.values():
            capture.drain()
        seen = b"".join(p for c in judge.captures.values() for p in c.packets)
        crossed = [row for row in sent if row[0] in seen]
    assert not crossed, crossed
    print(f"   {len(sent)} packets between organizations, 0 arrived")


def test_without_programs_nothing_passes(lab):
    all_of = everybody(lab)
    origin, target = all_of["acme", "nrt"], all_of["acme", "ord"]
    with Judge(lab) as judge:
        assert judge.arrives(origin, target, 5)
        origin.cell.out("tc", "qdisc", "del", "dev", origin.device, "clsact")
        try:
            token = judge.send(origin, origin.address, target.address, "udp")
            assert not judge.captures[target.id].wait_for(token, 0.5)
            assert origin.run("dig", "+time=1", "+tries=1", "@fdaa::3", "web.internal", "AAAA").returncode
            assert re.search(r"drops \{\s+packets [1-9]", origin.cell.out("nft", "list", "counters")), "the gate counted nothing"
        finally:
            lab.restart_node(origin.host)
        assert judge.arrives(origin, target, 5), "the programs did not come back"
