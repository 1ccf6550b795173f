"""bench_throughput - TCP from a customer's machine to an instance, through our programs and through the same wireguard-go, routes and veth
without them: at one machine that is gateway and host, and over a gateway, the mesh and a host. The two take turns in short slices; what
counts is the median of the ratios of the pairs. Beside it the processor time that a byte takes (of every wireguard-go on the way and of
both ends, with what the kernel does in their names), which other work on the machine disturbs less."""
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
sys.path.insert(0, str(ROOT / "tests/bench"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import Cluster  # noqa: E402
from tunnels import MTU, PORT, Api, Tunnel, bare_cell, hexa, key_pair, median  # noqa: E402

PAIRS, SECONDS = int(os.environ.get("PAIRS", 80)), float(os.environ.get("SLICE", 0.2))
TCP_PORT, CHUNK = 5001, 1 << 16
SPEC = ["/bin/sleep", "1000000"]

if os.geteuid():
    print("SKIP: network namespaces need root")
    sys.exit(0)


class Sink:
    """Takes whatever comes, at one place."""

    def __init__(self, place):
        self.socket = place.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("::", TCP_PORT))
        self.socket.listen()
        self.bytes = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        room = bytearray(CHUNK)
        while True:
            connection, _ = self.socket.accept()
            while n := connection.recv_into(room):
                self.bytes += n
            connection.close()


class Line:
    """A way from the laptop to a sink; measured a slice at a time over one connection."""

    def __init__(self, laptop, source, there, sink, pids):
        self.sink, self.data, self.rates, self.spent, self.moved = sink, bytes(CHUNK), [], 0, 0
        self.clocks = [~pid << 3 | 2 for pid in pids]  # as clock_getcpuclockid
        self.socket = laptop.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.socket.bind((source, 0))
        self.socket.settimeout(15)
        self.socket.connect((there, TCP_PORT))

    def cpu(self):
        return time.process_time() + sum(map(time.clock_gettime, self.clocks))

    def measure(self, seconds, count=True):
        end = time.monotonic() + seconds
        before, began, cpu = self.sink.bytes, time.monotonic(), self.cpu()
        while time.monotonic() < end:
            self.socket.sendall(self.data)
        rate = (self.sink.bytes - before) / (time.monotonic() - began)
        last = -1
        while self.sink.bytes != last:  # what is on its way must not be in the other's slice
            last = self.sink.bytes
            time.sleep(0.03)
        if count:
            self.rates.append(rate)
            self.spent += self.cpu() - cpu
            self.moved += last - before


def veth(cell, other, near, far, cell_net, other_net, route):
    subprocess.run(["nsenter", "-t", str(cell.pid), "-n", "ip", "link", "add", near, "type", "veth", "peer", "name", far,
                    "netns", str(other.pid)], check=True)
    cell.out("sh", "-ec", f"ip link set {near} mtu {MTU} up; ip -6 addr add {cell_net} dev {near} nodad")
    other.out("sh", "-ec", f"ip link set {far} mtu {MTU} up; ip -6 addr add {other_net} dev {far} nodad; ip -6 route add {route}")


def wireguards(cell, devices):
    return [pid for pid, _, command in cell.inner_pids() if "wireguard-go" in command and command.split()[-1] in devices]


class Bench:
    def __init__(self):
        self.lab = Cluster([("gw-ord", "ord"), ("dev-1", "dev"), ("nrt-1", "nrt")], logs=BUILD / "tests/bench/logs", park_ms=20000,
                           gateways={"gw-ord": "gateway", "dev-1": "host,gateway"})

    def up(self):
        lab = self.lab
        self.laptop, self.gateway = bare_cell(lab, "laptop", 50), bare_cell(lab, "bare-gw", 51)
        lab._plug(self.gateway, 60)
        self.host = lab._cell("bare-host")
        lab._plug(self.host, 61)
        self.near, self.far = lab._cell("bare-near"), lab._cell("bare-far")
        self.laptop.out("sysctl", "-qw", "net.ipv4.tcp_slow_start_after_idle=0")  # a slice is no new beginning
        lab.up()
        lab.sixpn("org", "create", "acme")
        lab.sixpn("app", "create", "web", "--org", "acme")
        for node in ("dev-1", "nrt-1"):
            lab.sixpn("instance", "create", "--org", "acme", "--app", "web", "--host", node, "--", *SPEC)
        lab.settle()
        self.api = Api(lab)

    def ours(self, gateway, node, device):
        """A peer at that gateway, and a line to the instance on that node."""
        private, public = key_pair()
        peer = self.api("POST", "/v1/peers?wait=applied", {"org": "acme", "name": device, "gateway": gateway, "public_key": public})
        peer = peer.get("peer", peer)
        address, there = peer["address"].split("/")[0], self.lab.instance("acme", "web", node)
        tunnel = Tunnel(self.laptop, device)
        tunnel.connect(private, peer["gateway_public_key"],
                       f"{self.lab.internet.address_of(gateway + '.example.net')}:{PORT}")
        self.laptop.out("sh", "-ec", f"ip -6 addr add {address}/128 dev {device} nodad; ip -6 route add {there.address} dev {device} src {address}")
        pids = [tunnel.pid] + wireguards(self.lab.nodes[gateway], ["sixpn-peers"] + (["sixpn-mesh"] if node != gateway else []))
        if node != gateway:
            pids += wireguards(self.lab.nodes[node], ["sixpn-mesh"])
        assert len(pids) == (4 if node != gateway else 2), pids
        return Line(self.laptop, address, there.address, Sink(there), pids)

    def bare(self):
        """The same without us: a laptop's tunnel to a machine that forwards, to its own instance by a veth, and to another machine's by
        another tunnel."""
        ends = {name: key_pair() for name in ("laptop", "gateway", "mesh", "host")}
        laptop, gateway = Tunnel(self.laptop, "bare0"), Tunnel(self.gateway, "wg0")
        mesh, host = Tunnel(self.gateway, "wg1"), Tunnel(self.host, "wg1")

        gateway.set(private_key=hexa(ends["gateway"][0]), listen_port=str(PORT), peers=[(ends["laptop"][1], ["fd00:1::2/128"], None)])
        laptop.connect(ends["laptop"][0], ends["gateway"][1], f"{self.lab.internet.address_of('bare-gw')}:{PORT}")
        mesh.set(private_key=hexa(ends["mesh"][0]), listen_port="51821", peers=[(ends["host"][1], ["fd00:3::/64"], "10.80.0.61:51821")])
        host.set(private_key=hexa(ends["host"][0]), listen_port="51821", peers=[(ends["mesh"][1], ["fd00:1::/64"], "10.80.0.60:51821")])
        self.laptop.out("sh", "-ec", "ip -6 addr add fd00:1::2/128 dev bare0 nodad; ip -6 route add fd00:2::/31 dev bare0 src fd00:1::2")
        for cell in (self.gateway, self.host):
            cell.out("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        veth(self.gateway, self.near, "inst0", "eth0", "fd00:2::1/64", "fd00:2::2/64", "default via fd00:2::1")
        veth(self.host, self.far, "inst0", "eth0", "fd00:3::1/64", "fd00:3::2/64", "default via fd00:3::1")
        self.gateway.out("sh", "-ec", "ip -6 route add fd00:1::/64 dev wg0; ip -6 route add fd00:3::/64 dev wg1")
        self.host.out("ip", "-6", "route", "add", "fd00:1::/64", "dev", "wg1")
        ways = (("fd00:2::2", self.near, [laptop, gateway]), ("fd00:3::2", self.far, [laptop, gateway, mesh, host]))
        return [Line(self.laptop, "fd00:1::2", there, Sink(place), [t.pid for t in tunnels]) for there, place, tunnels in ways]

    def compare(self, what, ours, bare):
        for line in (ours, bare):
            line.measure(1, count=False)
        for n in range(PAIRS):
            for line in ((ours, bare) if n % 2 else (bare, ours)):
                line.measure(SECONDS)
        pairs = sorted(a / b for a, b in zip(ours.rates, bare.rates) if b)  # none: somebody else had the whole machine
        cost, floor = (1e9 * line.spent / line.moved for line in (ours, bare))
        print(f"  {what}: {median(ours.rates) / 1e6:.1f} MB/s; without our programs {median(bare.rates) / 1e6:.1f} = {median(pairs):.3f} x"
              f" (half of {len(pairs)} pairs: {pairs[len(pairs) // 4]:.3f} to {pairs[-1 - len(pairs) // 4]:.3f})")
        print(f"  {what}, processor time: {cost:.1f} ns a byte; without our programs {floor:.1f} = {cost / floor:.3f} x", flush=True)

    def run(self):
        near, far = self.bare()
        print("TCP from a customer's machine to an instance, in turn with the same way without our programs")
        self.compare("at one machine that is gateway and host", self.ours("dev-1", "dev-1", "sxnear"), near)
        self.compare("over a gateway, the mesh and a host", self.ours("gw-ord", "nrt-1", "sxfar"), far)


bench = Bench()
try:
    bench.up()
    bench.run()
finally:
    bench.lab.stop()
