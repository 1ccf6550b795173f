"""The pair matrix: every ordered pair of the demo's instances and of peers at two gateways x every shape of packet x true and forged sources x both forms of the
destination, against an oracle of its own. What arrived is what the receivers' captures hold; a control packet per pair that must
arrive makes silence mean something. All of it with TCX and with clsact."""
import collections
import itertools
import pathlib
import re
import sys
import time

from fixture import oracle, packet, shapes
from fixture.cluster import GATEWAYS
from fixture.cluster import NODES as TABLE
from fixture.cluster import Cluster, Instance
from fixture.visitor import Visitor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "deploy/demo"))
from scene import APPS  # noqa: E402

SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
# org, name, region: two of one org at the same gateway, one at another, which is a host as well
PEERS = [("acme", "laptop", "ord"), ("acme", "office", "ord"), ("acme", "phone", "dev"), ("globex", "laptop", "ord"),
         ("globex", "phone", "dev")]
BURST, AGAIN = 200, 5
MAGIC = b"PaiR"
TOKEN = re.compile(re.escape(MAGIC) + b"(....)", re.S)


def token_of(number):
    """Counted from 1: a TCP header has the first half as its sequence number and zeros behind it."""
    return MAGIC + (number + 1).to_bytes(4, "big")


def network_of(member):
    return oracle.words(member.address)[1]


def is_peer(member):
    return oracle.words(member.address)[3] < oracle.FIRST_INSTANCE


def address(prefix, network, host, instance, low):
    words = [prefix, network >> 16, network & 0xFFFF, host >> 16, host & 0xFFFF, instance >> 16, instance & 0xFFFF, low]
    return ":".join(f"{w:x}" for w in words)


def sources(everybody, sender, target):
    """True and forged sources of one member against another, by name."""
    prefix, network, host, instance = oracle.words(sender.address)
    others = [i for i in everybody if i is not sender]
    same = next((i for i in others if network_of(i) == network and i is not target), None)
    foreign = next(i for i in others if network_of(i) != network and i is not target)
    far = next(i for i in others if oracle.words(i.address)[2] != host)
    found = {
        "own": sender.address,  # of an instance a /112, of a peer a /120
        "another of its own": address(prefix, network, host, instance, low_of(sender) ^ 2),
        "target's": target.address,
        "other org's": foreign.address,
        "other host word": address(prefix, network, oracle.words(far.address)[2], instance, 2),
        "other instance field": address(prefix, network, host, instance ^ 0x10000, 2),
        "own in mesh form": packet.swap(sender.address),
        "unspecified": "::",
        "multicast": "ff02::1",
        "resolver": "fdaa::3",
        "resolver of the network": address(prefix, network, 0, 0, 3),
        "gateway": "fe80::1",
        "loopback": "::1",
        "underlay": "fd80:6:6::11",
    }
    if same:
        found["another's"] = same.address
    if is_peer(sender):
        found["another /120 of its /112"] = address(prefix, network, host, instance, low_of(sender) ^ 0x100)
    return found


def low_of(member):
    return int.from_bytes(packet.raw(member.address)[14:], "big")


class Matrix:
    def __init__(self, cluster, peers):
        self.cluster = cluster
        self.everybody = [Instance(cluster, record) for record in cluster.instances()] + peers
        self.captures = {i.id: packet.Capture(i, i.inner) for i in self.everybody}
        self.wires = {i.id: packet.Wire(i, i.inner) for i in self.everybody}
        self.rows = []  # by number: (sender, target, source name, form, shape, must arrive, must be told)
        self.seen = collections.defaultdict(set)  # number -> ids of members that saw it
        self.told, self.controls = set(), 0
        self.needed = {}  # number -> the packet, of those that must be seen to come to something
        for i in self.everybody:  # its root may do that: what counts is what the machine makes of it
            i.out("ip", "link", "set", i.inner, "mtu", "1500")

    def close(self):
        for thing in [*self.captures.values(), *self.wires.values()]:
            thing.close()

    def friend(self, target):
        return next(i for i in self.everybody if i is not target and network_of(i) == network_of(target))

    def post(self, sender, target, name, source, form, shape):
        destination = target.address if form == "natural" else packet.swap(target.address)
        made = shape(source, destination, token_of(len(self.rows)))
        facts = (sender.address, source, target.address, destination, made)
        self.rows.append((sender, target, name, form, shape.__name__, oracle.delivered(*facts), oracle.too_big(*facts)))
        self.wires[sender.id].send(made, sender.neighbour)
        number = len(self.rows) - 1
        if self.rows[number][5] or self.rows[number][6]:
            self.needed[number] = made
        return number

    def pace(self, sender):
        """All that a peer sends goes through two WireGuards, whose queues are finite."""
        if is_peer(sender) and len(self.rows) % BURST == 0:
            self.controls += self.control([(sender, self.friend(sender))])

    def drain(self):
        for i in self.everybody:
            capture = self.captures[i.id]
            for p in capture.drain():
                for found in TOKEN.finditer(p):
                    number = int.from_bytes(found.group(1), "big") - 1
                    self.seen[number].add(i.id)
                    if p[6] == packet.ICMP6 and oracle.says_too_big(p, found.group(0)):
                        self.told.add(number)
            capture.packets.clear()

    def came_to_nothing(self, numbers):
        self.drain()
        return {n for n in numbers if self.rows[n][5] and self.rows[n][1].id not in self.seen[n] or self.rows[n][6] and n not in self.told}

    def insist(self, numbers):
        """Waits until all have come to what they must, and sends again what may have been lost: a queue may be full, which says nothing
        about who may speak to whom. Returns those that never do."""
        for again in range(AGAIN):
            end = time.monotonic() + 1
            while (numbers := self.came_to_nothing(numbers)) and time.monotonic() < end:
                time.sleep(0.001)
            for n in numbers:
                self.wires[self.rows[n][0].id].send(self.needed[n], self.rows[n][0].neighbour)
        return self.came_to_nothing(numbers)

    def control(self, pairs):
        """One packet per pair that must arrive: from the sender itself if it may, else from a friend of the target, and one from the
        sender to a friend of its own, so that what it sent before has been judged."""
        left = set()
        for sender, target in pairs:
            origin = sender if network_of(sender) == network_of(target) else self.friend(target)
            left.add(self.post(origin, target, "own", origin.address, "natural", shapes.udp))
            left.add(self.post(sender, self.friend(sender), "own", sender.address, "natural", shapes.udp))
        left = self.insist(left)
        assert not left, [self.describe(n) for n in left]
        return 2 * len(pairs)

    def warm(self):
        """A cold mesh needs handshakes, which cost packets."""
        for sender, target in itertools.permutations(self.everybody, 2):
            if network_of(sender) == network_of(target):
                sender.run("ping", "-6", "-c1", "-W5", "-n", target.address)

    def describe(self, number):
        sender, target, name, form, shape, arrives, told = self.rows[number]
        return f"{shape} from {sender.name} as {name} to {target.name} ({form}): must {'arrive' if arrives else 'not arrive'}"

    def judge(self):
        wrong = []
        for number, (sender, target, *_, arrives, told) in enumerate(self.rows):
            saw = self.seen[number] - {sender.id}  # the sender sees replies and errors that quote it
            if saw != ({target.id} if arrives else set()):
                wrong.append(f"{self.describe(number)}; seen by {len(saw)}")
            if told != (number in self.told):
                wrong.append(f"{self.describe(number)}; Packet Too Big {'is missing' if told else 'came all the same'}")
        assert not wrong, f"{len(wrong)} of {len(self.rows)}:\n" + "\n".join(wrong[:20])


def cluster_of(kind):
    # what a test changes in an instance stays so
    cluster = Cluster([*TABLE, ("gw-ord", "ord")], node_args=("--attach", kind, "--repair_interval_ms", "3600000"), gateways=GATEWAYS)
    try:
        cluster.up()
        for org, app, regions in APPS:
            cluster.deploy(org, app, regions, SLEEPER)
        cluster.settle()
    except BaseException:
        cluster.stop()
        raise
    return cluster


def peers_of(cluster):
    return [Visitor(cluster, cluster.internet.customer(f"{org}-{name}"), org=org, name=name, region=region).up() for org, name, region in PEERS]


def run_matrix(kind):
    cluster = cluster_of(kind)
    try:
        attached = {a["kind"] for name in cluster.nodes for a in cluster.node_status(name)["bpf"]["attached"]}
        assert attached == {kind}, attached
        matrix = Matrix(cluster, peers_of(cluster))
        matrix.warm()
        pairs = list(itertools.permutations(matrix.everybody, 2))
        for sender, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
            group = list(group)
            for _, target in group:
                for (name, source), form, shape in itertools.product(sources(matrix.everybody, sender, target).items(),
                                                                     ("natural", "mesh"), shapes.ALL):
                    matrix.post(sender, target, name, source, form, shape)
                    matrix.pace(sender)
                matrix.drain()
            matrix.controls += matrix.control(group)
        matrix.controls += matrix.control(pairs)
        matrix.insist(set(matrix.needed))
        matrix.judge()
        controls = matrix.controls
        arrived = sum(row[5] for row in matrix.rows) - controls
        print(f"   {kind}: {len(pairs)} ordered pairs, {len(matrix.rows) - controls} packets, {arrived} had to arrive and did, "
              f"{sum(row[6] for row in matrix.rows)} were answered by Packet Too Big, none else arrived anywhere; {controls} controls")
        matrix.close()
    finally:
        cluster.stop()


def test_every_pair_with_everything_by_tcx():
    run_matrix("tcx")


def test_every_pair_with_everything_by_clsact():
    run_matrix("clsact")
