"""claims - what the demo asserts, as rows: name, chapter, claim, check, what breaks it, sabotage (returns the mend), and the other
claims that may fail with it. Every check can be run again and again on the standing cluster. A claim without a sabotage does not
count, so there is no such row."""
import dataclasses
import os
import re
import signal
import time

from fixture import packet
from fixture.cluster import CONTROLLER_ADDRESS, LINK_PORT, MESH_PORT, Instance, wait_until
from scene import ECHO_PORT, WEB_PORT, page

APP = "fearsome-bagel-43"
KINDS = ("icmp", "udp", "tcp")
notes = []  # what a check wants to say beside PASS


@dataclasses.dataclass
class Row:
    name: str
    chapter: str
    claim: str
    check: object
    broken: str
    sabotage: object
    related: tuple = ()


class Wrong(Exception):
    pass


def expect(got, want, what):
    if got != want:
        raise Wrong(f"{what}: got {got!r}, want {want!r}")


# ---------------------------------------------------------------------------------------------------------------- 3. names

def ids(cluster, org, app):
    return [(i["id"], i["region"], i["address"]) for i in cluster.instances(org, app)]


def both(place, name, kind):
    """The same question over UDP and TCP; the two must agree."""
    udp, tcp = sorted(place.dig(name, kind)), sorted(place.dig(name, kind, tcp=True))
    expect(tcp, udp, f"{name} {kind} over TCP and UDP")
    return udp


def names_txt(cluster):
    place = cluster.instance("acme", "my-frontend")
    for name in (f"{APP}.internal", f"regions.{APP}.internal"):
        answer = both(place, name, "TXT")
        cluster.tell(f"dig +short {name} TXT          # in acme/my-frontend", "\n".join(answer))
        expect(answer, ['"nrt,ord"'], name)


def names_aaaa(cluster):
    place = cluster.instance("acme", "my-worker")
    all_of = ids(cluster, "acme", APP)
    everywhere = sorted(a for _, _, a in all_of)
    for name in (f"{APP}.internal", f"global.{APP}.internal"):
        expect(both(place, name, "AAAA"), everywhere, name)
    expect(both(place, f"nrt.{APP}.internal", "AAAA"), [a for _, r, a in all_of if r == "nrt"], f"nrt.{APP}.internal")
    for machine, _, address in all_of:
        expect(both(place, f"{machine}.vm.{APP}.internal", "AAAA"), [address], f"{machine}.vm")
    cluster.tell(f"dig +short nrt.{APP}.internal AAAA          # in acme/my-worker", "\n".join(place.dig(f"nrt.{APP}.internal", "AAAA")))


def joined(lines):
    return "".join(re.findall(r'"([^"]*)"', " ".join(lines)))


def names_lists(cluster):
    place = cluster.instance("acme", "my-database")
    vms = joined(both(place, f"vms.{APP}.internal", "TXT"))
    expect(sorted(vms.split(",")), sorted(f"{i} {r}" for i, r, _ in ids(cluster, "acme", APP)), "vms")
    expect(joined(both(place, "_apps.internal", "TXT")), "fearsome-bagel-43,my-database,my-frontend,my-worker", "_apps")
    listed = joined(both(place, "_instances.internal", "TXT")).split(";")
    expect(sorted(listed), sorted(f"instance={i['id']},app={i['app']},ip={i['address']},region={i['region']}"
                                  for i in cluster.instances("acme")), "_instances")
    cluster.tell("dig +short _apps.internal TXT          # in acme/my-database", "\n".join(place.dig("_apps.internal", "TXT")))


def names_views(cluster):
    ours, theirs = cluster.instance("acme", "my-database"), cluster.instance("globex", APP)
    expect(both(theirs, f"{APP}.internal", "AAAA"), [a for _, _, a in ids(cluster, "globex", APP)], "globex's own answer")
    expect(both(ours, f"{APP}.internal", "AAAA"), sorted(a for _, _, a in ids(cluster, "acme", APP)), "acme's own answer")
    expect(joined(both(theirs, "_apps.internal", "TXT")), "fearsome-bagel-43,widget-shop", "globex's _apps")
    expect(theirs.rcode("my-database.internal", "AAAA"), ("NXDOMAIN", 0), "another org's name")
    cluster.tell(f"dig +short {APP}.internal AAAA          # in globex/{APP}", "\n".join(theirs.dig(f"{APP}.internal", "AAAA")))


def names_negative(cluster):
    place = cluster.instance("acme", "my-frontend")
    started = time.monotonic()
    for tcp in (False, True):
        expect(place.rcode(f"{APP}.internal", "A", tcp), ("NOERROR", 0), "A of an AAAA-only name")
        expect(place.rcode("never-was.internal", "AAAA", tcp), ("NXDOMAIN", 0), "a name that never was")
        expect(place.rcode(f"dev.{APP}.internal", "AAAA", tcp), ("NOERROR", 0), "a region without an instance")
    if time.monotonic() - started > 1.5:
        raise Wrong(f"negative answers took {time.monotonic() - started:.1f} s")


def fetch(cluster):
    place = cluster.instance("acme", "my-frontend")
    command = ["curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt"]
    done = place.run(*command)
    cluster.tell(" ".join(command) + "          # in acme/my-frontend, region nrt; the database is in ord", done.stdout)
    expect((done.returncode, done.stdout), (0, page("acme", "my-database")), "the page")


def near_first(cluster):
    for org, app, region in (("acme", "my-frontend", "nrt"), ("acme", "my-database", "ord")):
        place = cluster.instance(org, app)
        text = place.out("getent", "ahosts", f"{APP}.internal")
        first = text.split()[0]
        cluster.tell(f"getent ahosts {APP}.internal | head -1          # in {region}", text.splitlines()[0])
        expect(first, next(a for _, r, a in ids(cluster, "acme", APP) if r == region), f"first address in {region}")


# ------------------------------------------------------------------------------------------------------------ 4. isolation

class Judge:
    """Captures at receivers, and packets sent at them. A packet has arrived if its token is in a receiver's capture; nothing has
    arrived if the control packet that was sent after it has, and it has not."""

    def __init__(self, cluster):
        self.cluster, self.wires, self.captures = cluster, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for thing in [*self.wires.values(), *self.captures.values()]:
            thing.close()

    def listen(self, instance):
        self.captures.setdefault(instance.id, packet.Capture(instance, "6pn0"))
        return self.captures[instance.id]

    def send(self, origin, source, destination, kind, port=ECHO_PORT):
        if origin.id not in self.wires:
            self.wires[origin.id] = packet.Wire(origin, "6pn0")
        token = packet.token()
        self.wires[origin.id].send(packet.probe(kind, source, destination, token, port), origin.neighbour)
        return token

    def arrives(self, origin, target, seconds=2.0, kind="udp"):
        """The positive control: tried until it gets through (a cold mesh needs a handshake)."""
        end = time.monotonic() + seconds
        capture = self.listen(target)
        while True:
            if capture.wait_for(self.send(origin, origin.address, target.address, kind), min(0.5, seconds)):
                return True
            if time.monotonic() > end:
                return False


def sources(cluster, attacker, victim):
    """True and forged sources of an attacker against a victim."""
    friend = next(i for i in cluster.instances("acme") if i["address"] != victim.address)
    return [attacker.address, friend["address"], victim.address, "fdaa::3", "fe80::2", packet.swap(attacker.address)]


def nothing_crosses(cluster, judge, attacker, victims, forms=(lambda a: a, packet.swap)):
    """All kinds, sources and forms at every victim, then a control from a friend of each victim."""
    sent = []
    for victim in victims:
        judge.listen(victim)
    for victim in victims:
        for kind in KINDS:
            for source in sources(cluster, attacker, victim):
                for form in forms:
                    sent.append((judge.send(attacker, source, form(victim.address), kind), victim, kind, source))
    for victim in victims:
        friend = next(Instance(cluster, i) for i in cluster.instances("acme") if i["address"] != victim.address)
        if not judge.arrives(friend, victim):
            raise Wrong(f"the control from {friend.name} does not reach {victim.name}: the capture proves nothing")
    time.sleep(0.1)  # what is still under way
    for token, victim, kind, source in sent:
        for capture in judge.captures.values():
            if capture.holds(token):
                raise Wrong(f"{kind} from {attacker.name} as {source} reached {victim.name}")
    return len(sent)


def isolation(cluster):
    with Judge(cluster) as judge:
        victims = [Instance(cluster, i) for i in cluster.instances("acme")]
        before = cluster.drops(attacker_host(cluster))
        n = sum(nothing_crosses(cluster, judge, cluster.instance("globex", app), victims) for app in (APP, "widget-shop"))
        after = cluster.drops(attacker_host(cluster))
    counted = {k: after[k] - before[k] for k in after if after[k] != before[k]}
    for reason in ("destination_network", "source_foreign"):
        if not counted.get(reason):
            raise Wrong(f"no drop was counted as {reason}: {counted}")
    notes.append(f"{n} packets sent, 0 arrived; counted on the attacker's host: "
                 + ", ".join(f"{k} {v}" for k, v in sorted(counted.items())))


def attacker_host(cluster):
    return cluster.instances("globex", APP)[0]["host"]


def infrastructure(cluster):
    """Neither host nor controller: their own captures see nothing of an instance but the name service."""
    attacker = cluster.instance("globex", APP)
    host = cluster.nodes[attacker.host]
    targets = [f"fd80:6:6::{number}" for number in (1, 11)] + ["fdaa::3", "fe80::1"]
    gate = cluster.node_status(attacker.host)["bpf"]
    with Judge(cluster) as judge:
        # a local capture sits in front of the gates, so what counts is what sockets and other devices see
        before = listeners_heard(host)
        at_controller = packet.Capture(cluster.controller, "eth0")
        judge.captures["controller"] = at_controller
        tokens = [judge.send(attacker, attacker.address, target, kind, port)
                  for target in targets for kind in KINDS for port in (22, 9999) if not (target == "fdaa::3" and kind == "icmp")]
        friend = cluster.instance("acme", "my-frontend")
        if not judge.arrives(cluster.instance("acme", "my-worker"), friend):
            raise Wrong("the control does not pass")
        for token in tokens:
            if at_controller.holds(token):
                raise Wrong("a packet of an instance reached the controller's machine")
        expect(listeners_heard(host) - before, 0, "packets of an instance that reached the host's own sockets")
    done = attacker.run("ping", "-6", "-c1", "-W1", "-n", "-I", attacker.address, "fd80:6:6::11")
    expect(done.returncode != 0, True, "ping of the host's underlay address fails")
    done = attacker.run("curl", "-s", "--max-time", "1", f"http://[fd80:6:6::1]:{LINK_PORT}/")
    expect(done.returncode != 0, True, "TCP to the controller fails")
    now = cluster.node_status(attacker.host)["bpf"]
    if sum(now["drops"].values()) <= sum(gate["drops"].values()):
        raise Wrong("no drop was counted")


def listeners_heard(host):
    """UDP datagrams for which the host had no listener, plus ICMPv6 echo requests it got: its own counters."""
    text = host.out("cat", "/proc/net/snmp6")
    values = dict(line.split()[:2] for line in text.splitlines())
    return int(values["Udp6NoPorts"]) + int(values["Icmp6InEchos"])


def pins(cell, device):
    index = cell.out("cat", f"/sys/class/net/{device}/ifindex")
    return [p for p in cell.out("ls", "/sys/fs/bpf/sixpn").split() if p.startswith(f"link_{index}_")]


def detach(cluster, *instances):
    """Takes the programs off the devices of instances, behind the daemon's back."""
    for instance in instances:
        for pin in pins(instance.cell, instance.device):
            instance.cell.out("bpftool", "link", "detach", "pinned", f"/sys/fs/bpf/sixpn/{pin}")
            instance.cell.out("rm", f"/sys/fs/bpf/sixpn/{pin}")


def reattach(cluster, *hosts):
    for host in sorted(set(hosts)):
        cluster.restart_node(host)


def same_host_pair(cluster):
    """An acme and a globex instance on one machine, and a friend of the acme one elsewhere."""
    for evil in cluster.instances("globex"):
        for good in cluster.instances("acme"):
            if good["host"] == evil["host"]:
                friend = next(i for i in cluster.instances("acme") if i["host"] != good["host"])
                return Instance(cluster, evil), Instance(cluster, good), Instance(cluster, friend)
    raise LookupError("no host has both orgs")


def gate_alone(cluster):
    """Programs off: the second gate lets nothing through, the control neither, not even to the resolver."""
    evil, good, friend = same_host_pair(cluster)
    with Judge(cluster) as judge:
        if not judge.arrives(friend, good):
            raise Wrong("the control does not pass before anything is detached")
        heard = good.dig("my-database.internal", "AAAA")
        before = cluster.node_status(good.host)["bpf"]["unmarked_drops"]
        detach(cluster, evil, good)
        try:
            judge.listen(friend)
            judge.listen(evil)
            sent = [judge.send(evil, evil.address, good.address, "udp"), judge.send(good, good.address, friend.address, "udp"),
                    judge.send(good, good.address, evil.address, "icmp"), judge.send(evil, good.address, friend.address, "udp")]
            query = good.run("dig", "+time=1", "+tries=1", "@fdaa::3", "my-database.internal", "AAAA").returncode
            ping = good.run("ping", "-6", "-c1", "-W1", "-n", "fdaa::3").returncode
            for token in sent:
                if any(c.holds(token) for c in judge.captures.values()):
                    raise Wrong("a packet passed although its device had no program")
            if query == 0 or ping == 0:
                raise Wrong("fdaa::3 answered a device without a program")
            after = cluster.node_status(good.host)["bpf"]["unmarked_drops"]
        finally:
            reattach(cluster, good.host)
        if after <= before:
            raise Wrong("the arrival gate counted nothing")
        if not heard or not judge.arrives(friend, good, 5):
            raise Wrong("the control does not pass after the programs are back")
    notes.append(f"the arrival gate dropped and counted {after - before} packets")


def open_gates(cell):
    """Everything of the second gate away: chain flushed, unreachable deleted, all packets sent to table 6000."""
    cell.out("nft", "flush", "chain", "inet", "sixpn", "arrival")
    for table in ("main", "6000"):
        cell.out("ip", "-6", "route", "del", "unreachable", "fdaa::/16", "table", table)
    cell.out("ip", "-6", "rule", "add", "priority", "99", "lookup", "6000")


def close_gates(cluster, host):
    cluster.nodes[host].run("ip", "-6", "rule", "del", "priority", "99", "lookup", "6000")
    cluster.restart_node(host)


def programs_alone(cluster):
    """Second gate away: BPF drops and counts the forged packet, the control passes."""
    evil, good, friend = same_host_pair(cluster)
    with Judge(cluster) as judge:
        open_gates(good.cell)
        try:
            before = cluster.drops(good.host)
            judge.listen(good)
            sent = [judge.send(evil, source, good.address, kind) for kind in KINDS for source in (evil.address, friend.address)]
            sent += [judge.send(evil, evil.address, packet.swap(good.address), "udp")]
            if not judge.arrives(friend, good, 5):
                raise Wrong("the control does not pass")
            time.sleep(0.05)
            if any(judge.captures[good.id].holds(token) for token in sent):
                raise Wrong("a packet of another organization arrived")
            after = cluster.drops(good.host)
        finally:
            close_gates(cluster, good.host)
    counted = {k: after[k] - before[k] for k in after if after[k] > before[k]}
    if sum(counted.get(k, 0) for k in ("destination_network", "source_foreign")) < len(sent):
        raise Wrong(f"{len(sent)} forged packets, counted: {counted}")
    notes.append("dropped and counted by BPF: " + ", ".join(f"{k} {v}" for k, v in sorted(counted.items())))


# ----------------------------------------------------------------------------------------------------------------- 5. mesh

def allowed_ips(cluster):
    return {name: sorted(line.split("\t")[1] for line in cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines())
            for name, cell in cluster.nodes.items()}


def one_prefix_per_node(cluster):
    hosts = {n["name"]: f"{n['host'][:4]}:{int(n['host'][4:], 16):x}" for n in cluster.json("node", "list")["items"]}
    want = {name: sorted(f"fdaa:{h}::/48" for other, h in hosts.items() if other != name) for name in hosts}
    expect(allowed_ips(cluster), want, "allowed IPs")
    fifty_networks(cluster)
    expect(allowed_ips(cluster), want, "allowed IPs after fifty more networks")
    cluster.tell("wg show sixpn-mesh allowed-ips          # on ord-1, after fifty more networks",
                 cluster.nodes["ord-1"].out("wg", "show", "sixpn-mesh", "allowed-ips"))


def fifty_networks(cluster):
    """A third org with fifty networks, made once per cluster."""
    if any(o["name"] == "initech" for o in cluster.json("org", "list")["items"]):
        return
    cluster.sixpn("org", "create", "initech", say=False)
    cluster.sixpn("org", "update", "initech", "--limit", "networks=60", say=False)
    for n in range(50):
        cluster.sixpn("network", "create", f"net-{n}", "--org", "initech", "--no-wait", say=False)


def mesh_form(cluster):
    sender, receiver = cluster.instance("acme", "my-frontend"), cluster.instance("acme", "my-database")
    inside = packet.Capture(receiver, "6pn0")
    with Judge(cluster) as judge:
        judge.captures[receiver.id] = inside
        if not judge.arrives(sender, receiver, 5):
            raise Wrong("the control does not pass")
        token = judge.send(sender, sender.address, receiver.address, "udp")
        if not inside.wait_for(token, 2):
            raise Wrong("the packet did not arrive")
        arrived = [p for p in inside.drain() if token in p]
    swapped = (packet.raw(packet.swap(sender.address)), packet.raw(packet.swap(receiver.address)))
    natural = (packet.raw(sender.address), packet.raw(receiver.address))
    for p in inside.packets:  # whatever else came in: never a host word where the network belongs
        if p[0] >> 4 == 6 and 0xA in (p[10] >> 4 if p[8:10] == b"\xfd\xaa" else 0, p[26] >> 4 if p[24:26] == b"\xfd\xaa" else 0):
            raise Wrong("an instance was given a packet in mesh form")
    expect({(p[8:24], p[24:40]) for p in at_receiving_mesh(cluster, sender, receiver)}, {swapped}, "addresses in the mesh")
    expect({(p[8:24], p[24:40]) for p in arrived}, {natural}, "addresses at the instance")


def at_receiving_mesh(cluster, sender, receiver):
    """What comes out of the tunnel, before our program turns it back: a capture on the receiving side of the mesh device."""
    capture = packet.Capture(receiver.cell, "sixpn-mesh")
    with Judge(cluster) as judge:
        judge.captures["mesh"] = capture
        token = judge.send(sender, sender.address, receiver.address, "udp")
        if not capture.wait_for(token, 2):
            raise Wrong("nothing came through the tunnel")
        return [p for p in capture.drain() if token in p]


def underlay(cluster):
    under = cluster.cells["underlay"]
    capture = packet.Capture(under, "to-nrt-1")
    controller = packet.Capture(under, "to-controller")
    place = cluster.instance("acme", "my-frontend")
    try:
        for _ in range(3):
            place.run("curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt")
        instance = cluster.instances("acme", "my-worker")[0]["id"]
        cluster.sixpn("instance", "update", instance, "--metadata", f"round={time.time_ns()}", "--no-wait", say=False)
        time.sleep(0.3)
        seen = [what_is(p) for p in capture.drain() + controller.drain()]
        strange = sorted({s for s in seen if s not in ("mesh", "link", "neighbours")})
        expect(strange, [], "packets on the underlay that are neither UDP 51821 nor the link")
        if "mesh" not in seen or "link" not in seen:
            raise Wrong("the captures hold no mesh or no link packets")
        # three letters turn up by chance in ciphertext; on the wire a name has its length before it
        for name in ("acme", "globex", "fearsome", "my-database", "my-worker", "default", "\x03ord", "\x03nrt", "\x03dev"):
            if any(name.encode() in p for p in capture.packets + controller.packets):
                raise Wrong(f"{name!r} is readable on the underlay")
    finally:
        capture.close()
        controller.close()
    notes.append(f"{seen.count('mesh')} mesh and {seen.count('link')} link packets seen")


def what_is(p):
    version = p[0] >> 4
    if version == 6:
        return "neighbours" if p[6] in (58, 0) else f"IPv6 next header {p[6]}"
    if version != 4:
        return "neighbours"  # ARP
    protocol, head = p[9], (p[0] & 15) * 4
    ports = {int.from_bytes(p[head:head + 2], "big"), int.from_bytes(p[head + 2:head + 4], "big")}
    if protocol == 17 and MESH_PORT in ports:
        return "mesh"
    if protocol == 6 and LINK_PORT in ports:
        return "link"
    return f"IPv4 protocol {protocol} ports {sorted(ports)}"


# --------------------------------------------------------------------------------------------------------------- 6. change

def withdrawal(cluster):
    """An instance of acme in ord is stopped; every acme name server is asked until it stops giving the address."""
    target = next(i for i in cluster.instances("acme", APP) if i["region"] == "ord")
    askers = {}
    for record in cluster.instances("acme"):
        if record["id"] != target["id"]:
            askers.setdefault(record["host"], Instance(cluster, record))
    for host, asker in askers.items():
        expect(target["address"] in asker.dig(f"{APP}.internal", "AAAA"), True, f"{host} gives the address at first")
    started = time.monotonic()
    cluster.sixpn("instance", "stop", target["id"], say=False)
    left, when = dict(askers), {}
    while left:
        for host, asker in list(left.items()):
            answer = asker.run("dig", "+short", "+time=1", "+tries=1", "@fdaa::3", f"{APP}.internal", "AAAA")
            if answer.returncode == 0 and target["address"] not in answer.stdout and answer.stdout.strip():
                when[host] = time.monotonic() - started
                del left[host]
        if left and time.monotonic() - started > 4:
            break
    try:
        if left:
            raise Wrong(f"still giving the address after 4 s: {', '.join(sorted(left))}")
    finally:
        cluster.sixpn("instance", "start", target["id"], say=False)
        wait_until(lambda: all(target["address"] in a.dig(f"{APP}.internal", "AAAA") for h, a in askers.items() if h not in left), 15,
                   "the instance is back in DNS")
    cluster.tell(f"sixpn instance stop {target['id']}", "")
    notes.append(f"withdrawn from {len(when)} name servers, the last after {max(when.values()) * 1000:.0f} ms (asked one after the other by dig)")


# ---------------------------------------------------------------------------------------------------------------- 1. nodes

def nodes_ready(cluster):
    states = {n["name"]: n["state"] for n in cluster.json("status")["nodes"]}
    expect(states, {n: "ready" for n, _ in cluster.table}, "nodes")
    for name in cluster.nodes:
        expect(cluster.node_status(name)["errors"], [], f"record errors of {name}")


def no_link_but_the_port(cluster):
    """What the machines share with the controller is the link: no other listener of theirs is open to each other."""
    place = cluster.nodes["dev-1"]
    port = place.run("nc", "-z", "-w1", CONTROLLER_ADDRESS, LINK_PORT).returncode
    api = place.run("nc", "-z", "-w1", CONTROLLER_ADDRESS, "4280").returncode
    expect((port, api != 0), (0, True), "link port open, API port closed")


# --------------------------------------------------------------------------------------------------------------- sabotages

def stop_daemon(name):
    def break_it(cluster):
        cluster.nodes[name].signal("sixpn-node", signal.SIGSTOP)
        wait_until(lambda: any(n["name"] == name and n["state"] != "ready" for n in cluster.json("status")["nodes"]), 30,
                   f"{name} is seen as unknown")

        def mend():
            cluster.nodes[name].signal("sixpn-node", signal.SIGCONT)
            wait_until(cluster.ready, 30, "all ready again")
        return mend
    return break_it


def on_host_of(org, app, break_command, mend_command):
    def break_it(cluster):
        cell = cluster.instance(org, app).cell
        cell.out("sh", "-c", break_command)
        return lambda: cell.out("sh", "-c", mend_command)
    return break_it


def view_of_another(cluster):
    """The queries of globex's instance arrive with the source of an acme instance of the same machine: the view is wrongly keyed."""
    evil = cluster.instance("globex", APP)
    good = next(i for i in cluster.instances("acme") if i["host"] == evil.host)
    cell = evil.cell
    cell.out("nft", f"add table ip6 sabotage; add chain ip6 sabotage in {{ type filter hook input priority -300; }}; "
                    f"add rule ip6 sabotage in ip6 saddr {evil.address} udp dport 53 ip6 saddr set {good['address']}")
    return lambda: cell.out("nft", "delete", "table", "ip6", "sabotage")


def address_label(cluster):
    """The far address gets the highest precedence in the instance's own resolver configuration."""
    place = cluster.instance("acme", "my-frontend")
    far = next(a for _, r, a in ids(cluster, "acme", APP) if r == "ord")
    if place.run("test", "-f", "/etc/gai.conf").returncode:
        raise LookupError("this machine has no /etc/gai.conf to put another over")
    place.out("sh", "-c", f"printf 'precedence {far}/128 100\\nprecedence ::/0 1\\n' > /run/gai && mount --bind /run/gai /etc/gai.conf")
    return lambda: place.out("umount", "/etc/gai.conf")


def all_gates_away(cluster):
    """Programs off both devices of one machine and the second gate open: packets do cross then, so the check can fail."""
    evil, good, _ = same_host_pair(cluster)
    open_gates(good.cell)
    detach(cluster, evil, good)
    return lambda: close_gates(cluster, good.host)


def only_gate_away(cluster):
    evil, good, _ = same_host_pair(cluster)
    open_gates(good.cell)
    return lambda: close_gates(cluster, good.host)


def only_programs_away(cluster):
    evil, good, _ = same_host_pair(cluster)
    detach(cluster, evil, good)
    return lambda: reattach(cluster, good.host)


def wrong_allowed_ip(cluster):
    cell = cluster.nodes["ord-1"]
    key = cell.out("wg", "show", "sixpn-mesh", "peers").split()[0]
    before = cell.out("wg", "show", "sixpn-mesh", "allowed-ips")
    prefix = next(line.split("\t")[1] for line in before.splitlines() if line.startswith(key))
    cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", f"{prefix},fdaa:aaaa:1::/48")
    return lambda: cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", prefix)


def database_unroutable(cluster):
    """The database's host is taken out of the frontend's mesh: its prefix goes to nobody."""
    front, base = cluster.instance("acme", "my-frontend"), cluster.instance("acme", "my-database")
    prefix = f"fdaa:{cluster.node_status(base.host)['host']}::/48"
    lines = front.cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines()
    key = next(line.split("\t")[0] for line in lines if prefix in line)
    front.cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", "")
    return lambda: front.cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", prefix)


def mesh_program_away(cluster):
    """The receiving machine's mesh programs are taken off and the sender's too: natural addresses would travel."""
    hosts = {cluster.instance("acme", app).host for app in ("my-frontend", "my-database")}
    for host in hosts:
        cell = cluster.nodes[host]
        for pin in pins(cell, "sixpn-mesh"):
            cell.out("bpftool", "link", "detach", "pinned", f"/sys/fs/bpf/sixpn/{pin}")
            cell.out("rm", f"/sys/fs/bpf/sixpn/{pin}")
    return lambda: reattach(cluster, *hosts)


def chatter(cluster):
    """Somebody on a machine speaks in the clear, to a port that is not ours."""
    cell = cluster.nodes["nrt-1"]
    talker = cell.popen("sh", "-c", f"while :; do echo acme | nc -u -w0 {CONTROLLER_ADDRESS} 9999; sleep 0.05; done")

    def mend():
        for pid in [p for p, _, command in cell.inner_pids() if "9999" in command]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        talker.wait()
        time.sleep(0.2)
    return mend


def api_on_the_underlay(cluster):
    talker = cluster.controller.popen("nc", "-lk", CONTROLLER_ADDRESS, "4280")
    wait_until(lambda: cluster.nodes["dev-1"].run("nc", "-z", "-w1", CONTROLLER_ADDRESS, "4280").returncode == 0, 5, "nc listens")

    def mend():
        for pid in cluster.controller.pids_of("nc"):
            os.kill(pid, signal.SIGKILL)
        talker.wait()
    return mend


NO_RESOLVER = ("ip -6 addr del fdaa::3/128 dev lo", "ip -6 addr add fdaa::3/128 dev lo nodad")
SAME_HOST = ("names-txt", "names-aaaa", "names-lists", "names-views", "names-negative", "fetch", "near-first", "isolation",
             "infrastructure", "gate-alone", "programs-alone", "mesh-form", "withdrawal", "underlay")


def rows():
    names, walls, mesh = "3. names, from inside instances, over UDP and TCP", "4. isolation, judged at the receivers", "5. the mesh"
    return [
        Row("nodes-ready", "1. the machines", "all four nodes are ready and have applied everything", nodes_ready,
            "the daemon of dev-1 is stopped", stop_daemon("dev-1"), ("names-aaaa", "withdrawal")),
        Row("only-the-link", "1. the machines", "machines share nothing with the controller but the link port", no_link_but_the_port,
            "something listens on the API port of the underlay", api_on_the_underlay),
        Row("names-txt", names, f"TXT of {APP}.internal and regions. is \"nrt,ord\"", names_txt,
            "the resolver's address is gone on nrt-1",
            on_host_of("acme", "my-frontend", *NO_RESOLVER), SAME_HOST),
        Row("names-aaaa", names, "AAAA of the bare name, global., nrt. and <id>.vm. are the instances", names_aaaa,
            "the resolver's address is gone on dev-1",
            on_host_of("acme", "my-worker", *NO_RESOLVER), ("withdrawal",)),
        Row("names-lists", names, "vms., _apps and _instances list exactly what is there", names_lists,
            "the resolver's address is gone on the database's host",
            on_host_of("acme", "my-database", *NO_RESOLVER), SAME_HOST),
        Row("names-views", names, "globex gets its own answers for the same name, and nothing of acme", names_views,
            "globex's queries are read as acme's", view_of_another, ("gate-alone",)),
        Row("names-negative", names, "A is NODATA at once, a name that never was is NXDOMAIN", names_negative,
            "replies of the name server are dropped on nrt-1",
            on_host_of("acme", "my-frontend",
                       "nft 'add table ip6 sabotage; add chain ip6 sabotage out { type filter hook output priority 0; }; "
                       "add rule ip6 sabotage out udp sport 53 drop; add rule ip6 sabotage out tcp sport 53 drop'",
                       "nft delete table ip6 sabotage"), SAME_HOST),
        Row("fetch", names, "my-frontend (nrt) fetches a page of my-database.internal (ord) by getaddrinfo and TCP", fetch,
            "the database's host is taken out of nrt-1's mesh", database_unroutable,
            ("isolation", "infrastructure", "mesh-form", "one-prefix", "underlay", "gate-alone", "programs-alone")),
        Row("near-first", names, "getent ahosts gives the near instance first in each region", near_first,
            "the far address is preferred by the instance's own gai.conf", address_label),
        Row("isolation", walls, "no packet of globex reaches acme: ICMP, UDP, TCP; true and forged sources; natural and mesh form",
            isolation, "programs detached and the second gate open on one machine", all_gates_away, SAME_HOST),
        Row("infrastructure", walls, "neither host nor controller answers an instance", infrastructure,
            "programs detached and the second gate open on one machine", all_gates_away, SAME_HOST),
        Row("gate-alone", walls, "programs detached: nothing passes, the control neither, not even to fdaa::3", gate_alone,
            "the second gate is open", only_gate_away, ("programs-alone",)),
        Row("programs-alone", walls, "second gate removed: BPF drops and counts the forged packet, the control passes", programs_alone,
            "the programs are detached", only_programs_away, SAME_HOST),
        Row("one-prefix", mesh, "wg show has one /48 per other node, before and after fifty more networks", one_prefix_per_node,
            "one peer of ord-1 has a wrong allowed-ip", wrong_allowed_ip),
        Row("mesh-form", mesh, "mesh form on the mesh device, natural form at the instance", mesh_form,
            "the mesh programs of both machines are detached", mesh_program_away, SAME_HOST),
        Row("underlay", mesh, "on the underlay only UDP 51821 and the link, and no name of org or app is readable", underlay,
            "a machine speaks in the clear", chatter),
        Row("withdrawal", "6. a change", "a stopped instance is withdrawn by every name server of its network", withdrawal,
            "the daemon of dev-1 is stopped", stop_daemon("dev-1"), ("names-aaaa", "nodes-ready")),
    ]
