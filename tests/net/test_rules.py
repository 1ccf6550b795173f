"""Peering rules on real packets: two customers agree that acme's web may reach globex's db. Before: nothing passes. With it: exactly that,
asserted over every ordered pair of seven instances of three organizations with every kind of packet, and the name where the rule says so.
After the acknowledged delete: not one packet more."""
import itertools
import json
import signal
import socket

from fixture import packet
from fixture.cluster import BIN, Instance, wait_until
from fixture.judge import Judge

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
ECHO = """
import socket, threading
def tcp():
    s = socket.create_server(("::", 5432), family=socket.AF_INET6)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve, args=(c,), daemon=True).start()
def serve(c):
    while d := c.recv(100):
        c.sendall(b"tcp:" + d)
threading.Thread(target=tcp, daemon=True).start()
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("::", 5432))
while True:
    d, a = u.recvfrom(100)
    u.sendto(b"udp:" + d, a)
"""
CLIENT = """
import socket, sys, time
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for i in range(15):
        try:
            with socket.socket(socket.AF_INET6, kind) as s:
                s.settimeout(5)
                s.connect(socket.getaddrinfo("db.internal", 5432, socket.AF_INET6, kind)[0][4])
                s.send(b"ping")
                print(s.recv(100).decode())
                break
        except OSError as e:
            last = e
            time.sleep(1)  # it may be just about to listen
    else:
        sys.exit(f"{kind}: {last}")
"""
KINDS = ("icmp", "udp", "tcp")


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("acme", "worker", ["nrt"], SLEEPER)
    lab.deploy("globex", "db", ["ord", "nrt"], {"schema": 1, "command": ["/usr/bin/python3", "-c", ECHO], "drain_ms": 0})
    lab.deploy("globex", "cache", ["ord"], SLEEPER)
    lab.deploy("initech", "api", ["ord"], SLEEPER)
    lab.settle()
    lab.tokens = {org: lab.secret("token", "create", "--org", org, "--profile", "admin") for org in ("acme", "globex", "initech")}
    lab.ends = [Instance(lab, i) for i in lab.instances()]


def as_customer(lab, org, *args):
    """The command with the token of an organization: its output, or an exception."""
    done = lab.controller.run(BIN / "sixpn", *args, timeout=40, env={"HOME": "/run", "SIXPN_URL": "http://127.0.0.1:4280",
                                                                    "SIXPN_TOKEN": lab.tokens[org]})
    if done.returncode:
        raise RuntimeError(f"{org}: sixpn {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def rules_of(lab, org):
    return json.loads(as_customer(lab, org, "rule", "list", "--json"))["items"]


def name_of(end):
    return f"{end.record['org']}/{end.record['app']}"


def check_pairs(lab, allowed):
    """Each ordered pair: what is allowed arrives, and nothing of all else; `allowed` holds (from, to) as names, beside the own network."""
    sent, passed = [], 0
    with Judge(lab) as judge:
        for end in lab.ends:
            judge.listen(end)
        for origin, target in itertools.permutations(lab.ends, 2):
            if origin.record["org"] == target.record["org"] or (name_of(origin), name_of(target)) in allowed:
                for kind in KINDS:
                    assert judge.arrives(origin, target, 20, kind), f"{kind} from {origin.name} to {target.name}"
                    passed += 1
                continue
            friends = {e.address for e in lab.ends if e.record["org"] == origin.record["org"]}
            for kind, source in itertools.product(KINDS, friends):  # its own, and forged ones of its network
                sent.append((judge.send(origin, source, target.address, kind), origin.name, target.name, kind, source))
        for origin, target in itertools.permutations(lab.ends, 2):
            if origin.record["org"] == target.record["org"]:
                assert judge.arrives(origin, target, 20), "the control does not pass"
        for capture in judge.captures.values():
            capture.drain()
        seen = b"".join(p for c in judge.captures.values() for p in c.packets)
    crossed = [row[1:] for row in sent if row[0] in seen]
    assert not crossed, (len(crossed), crossed[:10])
    print(f"   {passed} kinds of packet between pairs that may, all arrived; {len(sent)} between those that may not, 0 arrived")


def resolve(lab, name):
    return {end.name: sorted(end.dig(name, "AAAA")) for end in lab.ends}


def test_before_there_is_a_rule_nothing_passes_and_nothing_resolves(lab):
    check_pairs(lab, set())
    assert not any(resolve(lab, "db.internal")[e.name] for e in lab.ends if e.record["org"] != "globex")
    as_customer(lab, "acme", "rule", "create", "--from", "web", "--to", "globex/db")
    check_pairs(lab, set())  # proposed is not agreed


def test_with_the_rule_exactly_the_pair_passes_and_the_name_is_there_alone(lab):
    assert not rules_of(lab, "initech")
    rule = rules_of(lab, "globex")[0]
    assert (rule["state"], rule["from_org"], rule["from_app"]) == ("proposed", "acme", "web"), rule
    as_customer(lab, "globex", "rule", "accept", rule["id"])
    databases = sorted(e.address for e in lab.ends if name_of(e) == "globex/db")
    for end in lab.ends:  # at once: the accept was acknowledged
        org = end.record["org"]
        assert sorted(end.dig("db.internal", "AAAA")) == (databases if org in ("acme", "globex") else []), end.name
        if org == "initech":
            assert end.rcode("db.internal", "AAAA") == ("NXDOMAIN", 0)
        if org == "acme":
            assert end.dig("regions.db.internal", "TXT") == ['"nrt,ord"']
            assert end.rcode("cache.internal", "AAAA") == ("NXDOMAIN", 0)
            assert end.rcode("vms.db.internal", "TXT") == ("NXDOMAIN", 0)
            assert "db" not in end.dig("_apps.internal", "TXT")[0]
        if org == "globex":
            assert end.rcode("web.internal", "AAAA") == ("NXDOMAIN", 0)
    check_pairs(lab, {("acme/web", "globex/db")})
    for end in lab.ends:
        if name_of(end) == "acme/web":
            assert end.out("python3", "-c", CLIENT).split() == ["tcp:ping", "udp:ping"], end.name
    assert any(lab.drops(name).get("rule_opening") for name in lab.nodes), "nobody counted what may only answer"


def test_one_rule_and_another_do_not_make_a_way(lab):
    as_customer(lab, "globex", "rule", "create", "--from", "db", "--to", "initech/api")
    as_customer(lab, "initech", "rule", "accept", rules_of(lab, "initech")[0]["id"])
    check_pairs(lab, {("acme/web", "globex/db"), ("globex/db", "initech/api")})


def test_it_outlives_daemons_and_stops_with_a_suspended_organization(lab):
    web = next(e for e in lab.ends if name_of(e) == "acme/web" and e.host == "ord-1")
    db = next(e for e in lab.ends if name_of(e) == "globex/db" and e.host == "nrt-1")
    with Judge(lab) as judge:
        for name in lab.nodes:
            lab.stop_node(name)
        assert judge.arrives(web, db, 20), "without daemons"
        for name in lab.nodes:
            lab.start_node(name)
        wait_until(lambda: all(lab.answers(n) and lab.node_status(n)["sync"]["synced"] for n in lab.nodes), 30, "both back")
        assert judge.arrives(web, db, 20), "after a restart"
        lab.sixpn("org", "suspend", "globex")
        tokens = [judge.send(web, web.address, db.address, kind) for kind in KINDS for _ in range(20)]
        assert web.rcode("db.internal", "AAAA") == ("NXDOMAIN", 0)
        lab.sixpn("org", "resume", "globex")
        assert judge.arrives(web, db, 20), "resumed"
        assert not any(judge.captures[db.id].holds(t) for t in tokens)


def test_after_the_acknowledged_delete_not_one_packet_passes(lab):
    webs = [e for e in lab.ends if name_of(e) == "acme/web"]
    dbs = [e for e in lab.ends if name_of(e) == "globex/db"]
    rule = next(r for r in rules_of(lab, "acme") if r["state"] == "agreed")
    with Judge(lab) as judge:
        for web, db in itertools.product(webs, dbs):
            assert judge.arrives(web, db, 20)
        as_customer(lab, "globex", "rule", "delete", rule["id"], "--yes")  # either side ends it
        tokens = [(judge.send(a, a.address, b.address, kind), a.name, b.name) for _ in range(25) for kind in KINDS
                  for web, db in itertools.product(webs, dbs) for a, b in ((web, db), (db, web))]
        for web in webs:
            assert web.rcode("db.internal", "AAAA") == ("NXDOMAIN", 0), web.name
        for origin, target in itertools.permutations(lab.ends, 2):  # the control, in the same captures
            if origin.record["org"] == target.record["org"]:
                assert judge.arrives(origin, target, 20)
        late = [row[1:] for row in tokens if any(c.holds(row[0]) for c in judge.captures.values())]
    assert not late, (len(late), sorted(set(late)))
    print(f"   {len(tokens)} packets after the acknowledgement, 0 arrived")
    assert not rules_of(lab, "acme")
    assert [lab.node_status(n)["peering_rules"]["pairs"] for n in sorted(lab.nodes)] == [1, 1]  # db to api alone
    check_pairs(lab, {("globex/db", "initech/api")})


def with_words(address, network=None, instance=None):
    """The address with the network word of another one, or with another instance word."""
    a = packet.raw(address)
    a = a[:2] + (packet.raw(network)[2:6] if network else a[2:6]) + a[6:10] + (instance.to_bytes(4, "big") if instance else a[10:14]) + a[14:]
    return socket.inet_ntop(socket.AF_INET6, a)


def ack(source, destination, token):
    syn = bytearray(packet.probe("tcp", source, destination, token))
    syn[40 + 13], syn[40 + 16:40 + 18] = 0x10, b"\0\0"
    return packet.ipv6(source, destination, packet.TCP, packet.with_checksum(source, destination, packet.TCP, bytes(syn[40:]), 16))


def test_a_machine_that_was_taken_over_plays_the_instances_that_live_on_it_and_nobody_else(lab):
    """ord-1 without our daemon and without our program on its way out, so that nothing of ours sees what it sends into the mesh."""
    as_customer(lab, "acme", "rule", "create", "--from", "web", "--to", "globex/db")
    as_customer(lab, "globex", "rule", "accept", next(r["id"] for r in rules_of(lab, "globex") if r["state"] == "proposed"))
    end = {(name_of(e), e.host): e for e in lab.ends}
    web, db, cache, api = (end[name, "ord-1"] for name in ("acme/web", "globex/db", "globex/cache", "initech/api"))
    web2, db2, worker2 = (end[name, "nrt-1"] for name in ("acme/web", "globex/db", "acme/worker"))
    cell = lab.nodes["ord-1"]
    rows = [("a web of it opens to a db", web.address, db2.address, "syn", True),
            ("a db of it answers a web", db.address, web2.address, "ack", True),
            ("a db of it opens to a web", db.address, web2.address, "syn", False),
            ("a cache of it answers a web", cache.address, web2.address, "ack", False),
            ("an api of it answers a worker", api.address, worker2.address, "ack", False),
            ("a db of it answers a worker", db.address, worker2.address, "ack", False),
            ("the other machine's web opens to a db", web2.address, db2.address, "syn", False),
            ("an instance of acme that is not there opens to a db", with_words(web.address, instance=0x7fffffff), db2.address, "syn", False),
            ("a web's place in globex answers a web", with_words(web.address, network=db.address), web2.address, "ack", False),
            ("a web's place in initech answers a web", with_words(web.address, network=api.address), web2.address, "ack", False)]
    with Judge(lab) as judge:
        captures = [judge.listen(e) for e in (web2, db2, worker2)]
        assert judge.arrives(web, db2, 20)
        lab.stop_node("ord-1", signal.SIGKILL)
        cell.run("sh", "-c", "bpftool link detach pinned /sys/fs/bpf/sixpn/link_$(cat /sys/class/net/sixpn-mesh/ifindex)_egress; "
                 "tc filter del dev sixpn-mesh egress")
        wire = packet.Wire(cell, "sixpn-mesh")

        def send(source, destination, kind):
            token = packet.token()
            make = ack if kind == "ack" else lambda *ends: packet.probe("tcp", *ends)
            body = make(source, destination, token)
            wire.send(body[:8] + packet.raw(packet.swap(source)) + packet.raw(packet.swap(destination)) + body[40:], b"")
            return token

        denied = [(name, send(source, destination, kind)) for name, source, destination, kind, may in rows if not may for _ in range(5)]
        for name, source, destination, kind, may in rows:  # the control: behind all that must not arrive
            if may:
                wait_until(lambda: any(c.wait_for(send(source, destination, kind), 0.5) for c in captures), 20, name)
        crossed = {name for name, token in denied if any(c.holds(token) for c in captures)}
        wire.close()
    assert not crossed, crossed
    print(f"   {len(denied)} forged packets of the machine, 0 arrived; what it may, did")
