"""bench_gateway - from the wish for a peer to its first answered ping, through a real wireguard-go, beside the same by hand at a bare
wireguard-go; and a gateway with 1,000 and 10,000 peers: bringing an empty device there, memory, and a restart under live tunnels."""
import os
import pathlib
import signal
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
sys.path.insert(0, str(ROOT / "tests/bench"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import Cluster, wait_until  # noqa: E402
from tunnels import PORT, Api, Pinger, Tunnel, Watch, bare_cell, hexa, key_pair, median, memory_kib, quantile, some_key  # noqa: E402

TRIALS = int(os.environ.get("TRIALS", 100))
SIZES = [int(n) for n in os.environ.get("SIZES", "1000,10000").split(",")]
ROUNDS, LIVE, ONE_MORE, GATEWAY = 3, 5, 30, "gw-ord"

if os.geteuid():
    print("SKIP: network namespaces need root")
    sys.exit(0)


class Bench:
    def __init__(self):
        self.lab = Cluster([(GATEWAY, "ord"), ("nrt-1", "nrt")], logs=BUILD / "tests/bench/logs", park_ms=20000,
                           gateways={GATEWAY: "gateway"})

    def up(self):
        lab = self.lab
        self.laptop, self.bare = bare_cell(lab, "laptop", 50), bare_cell(lab, "bare", 51)
        lab.up()
        self.api = Api(lab)
        lab.sixpn("org", "create", "acme")
        self.api("PATCH", "/v1/orgs/acme", {"limits": {"peers": 20000, "writes": 10000}})
        self.ends = (f"{lab.internet.address_of(GATEWAY + '.example.net')}:{PORT}", f"{lab.internet.address_of('bare')}:{PORT}")

    # ---- the first ping

    def ours(self, client, pinger, keys, number):
        private, public = keys
        began = time.monotonic()
        peer = self.api("POST", "/v1/peers?wait=applied", {"org": "acme", "name": f"trial{number}", "gateway": GATEWAY,
                                                           "public_key": public})
        peer = peer.get("peer", peer)
        applied = time.monotonic()
        client.connect(private, peer["gateway_public_key"], self.ends[0])
        address = peer["address"].split("/")[0]
        pinger.until_answered(address, ":".join(address.split(":")[:3]) + "::3")
        ended = time.monotonic()
        self.api("DELETE", f"/v1/peers/{peer['id']}?org=acme&wait=applied")
        return applied - began, ended - began

    def by_hand(self, server, client, pinger, keys, own_public, number):
        private, public = keys
        began = time.monotonic()
        server.set(peers=[(public, [f"fd00:9::{number:x}:0/120"], None)])
        client.connect(private, own_public, self.ends[1])
        pinger.until_answered(f"fd00:9::{number:x}:2", "fd00:9::1")
        ended = time.monotonic()
        server.set(replace_peers="true")
        return ended - began

    def first_ping(self):
        server, client = Tunnel(self.bare), Tunnel(self.laptop)
        private, public = key_pair()
        server.set(private_key=hexa(private), listen_port=str(PORT))
        self.bare.out("sh", "-ec", "ip -6 addr add fd00:9::1/64 dev wg0 nodad")
        pinger = Pinger(self.laptop, "wg0")
        pairs = [(key_pair(), key_pair()) for _ in range(TRIALS)]
        applied, whole, floor = [], [], []
        for number, (one, other) in enumerate(pairs, 1):
            a, b = self.ours(client, pinger, one, number)
            applied.append(a)
            whole.append(b)
            floor.append(self.by_hand(server, client, pinger, other, public, number))
        print(f"a peer from the API call (wait=applied) to its first answered ping, {TRIALS} times, in turn with a bare wireguard-go by hand")
        for q in (0.5, 0.99):
            w, f = quantile(whole, q), quantile(floor, q)
            print(f"  p{int(100 * q)}: {1000 * w:.1f} ms, {1000 * quantile(applied, q):.1f} ms of it until applied; by hand {1000 * f:.1f} ms"
                  f" = {w / f:.1f} x")
        client.stop()
        server.stop()

    # ---- many

    def create(self, first, last):
        def some(numbers):
            api = Api(self.lab)
            for n in numbers:
                api("POST", "/v1/peers?wait=recorded", {"org": "acme", "name": f"peer{n}", "gateway": GATEWAY, "public_key": some_key(n)})
        workers = [threading.Thread(target=some, args=(range(first + k, last, 4),)) for k in range(4)]
        began = time.monotonic()
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        recorded = time.monotonic()
        self.wait_for(last + LIVE)
        print(f"  {last - first} peers made by the API in {recorded - began:.1f} s, the last of them in WireGuard {time.monotonic() - recorded:.1f} s"
              " later")

    def one_more(self, n):
        took = []
        for k in range(ONE_MORE):
            began = time.monotonic()
            peer = self.api("POST", "/v1/peers?wait=applied", {"org": "acme", "name": f"more{k}", "gateway": GATEWAY,
                                                               "public_key": key_pair()[1]})
            took.append(time.monotonic() - began)
            self.api("DELETE", f"/v1/peers/{peer.get('peer', peer)['id']}?org=acme&wait=applied")
        print(f"  one more with {n}: p50 {1000 * median(took):.1f} ms until applied")

    def gateway(self):
        return self.lab.node_status(GATEWAY).get("gateway") or {}

    def wait_for(self, n):
        wait_until(lambda: self.lab.answers(GATEWAY) and self.gateway().get("peers") == n, 120, f"{n} peers in WireGuard")

    def daemons(self):
        """Memory of the node's daemon and of its wireguard-go, in KiB."""
        cell = self.lab.nodes[GATEWAY]
        wireguard = next(pid for pid, _, command in cell.inner_pids() if "wireguard-go" in command and "sixpn-peers" in command)
        return memory_kib(cell.pids_of("sixpn-node")[0]), memory_kib(wireguard), wireguard

    def from_empty(self, n):
        """Seconds: the set of WireGuard by the daemon, its start until all is done; and the same peers in one set of a bare one."""
        lab, ours, whole, bare = self.lab, [], [], []
        text = [(some_key(k), [f"fd00:9::{k:x}:0/120"], None) for k in range(n)]
        for _ in range(ROUNDS):
            wireguard = self.daemons()[2]
            lab.stop_node(GATEWAY)
            os.kill(wireguard, signal.SIGKILL)
            wait_until(lambda: not pathlib.Path(f"/proc/{wireguard}").exists(), 10, "the end of wireguard-go")
            began = time.monotonic()
            lab.start_node(GATEWAY)
            self.wait_for(n + LIVE)
            whole.append(time.monotonic() - began)
            ours.append(self.gateway()["change_us_total"] / 1e6)
            other = Tunnel(self.bare, "wg1")
            began = time.monotonic()
            other.set(peers=text)
            bare.append(time.monotonic() - began)
            bare_kib = memory_kib(other.pid)
            other.stop()
        ratio = median([a / b for a, b in zip(ours, bare)])
        print(f"  an empty device brought to {n} peers: {median(ours):.2f} s of setting, {median(whole):.2f} s from the daemon's start; "
              f"one set of a bare wireguard-go {median(bare):.2f} s = {ratio:.2f} x")
        return bare_kib

    def live(self):
        """Tunnels that are in use: of one customer's machine, each with a device of its own."""
        lines = []
        for k in range(LIVE):
            private, public = key_pair()
            peer = self.api("POST", "/v1/peers?wait=applied", {"org": "acme", "name": f"live{k}", "gateway": GATEWAY, "public_key": public})
            peer = peer.get("peer", peer)
            address = peer["address"].split("/")[0]
            there = ":".join(address.split(":")[:3]) + "::3"
            Tunnel(self.laptop, f"live{k}").connect(private, peer["gateway_public_key"], self.ends[0])
            pinger = Pinger(self.laptop, f"live{k}")
            pinger.until_answered(address, there)
            lines.append((pinger, address, there))
        return lines

    def restart(self, lines, n):
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pinger, source, there in lines:
                pinger.until_answered(source, there)
            watch = Watch(lines)
            watch.start()
            time.sleep(1)
            began = time.monotonic()
            self.lab.restart_node(GATEWAY, number)
            self.wait_for(n + LIVE)
            took = time.monotonic() - began
            time.sleep(2)
            sent, lost = watch.stop()
            print(f"  restart of the daemon by {number.name} with {n} peers: back after {took:.2f} s; {lost} of {sent} pings lost through {LIVE} "
                  "live tunnels")

    def many(self):
        print("a gateway with many peers")
        empty = self.daemons()
        lines, before = self.live(), 0
        for n in SIZES:
            self.create(before, n)
            before = n
            full = self.daemons()
            print(f"  memory per peer with {n}: daemon {(full[0] - empty[0]) / n:.2f} KiB, wireguard-go {(full[1] - empty[1]) / n:.2f} KiB")
            self.one_more(n)
            self.restart(lines, n)
            self.from_empty(n)
            for pinger, source, there in lines:
                pinger.until_answered(source, there, 30)


bench = Bench()
try:
    bench.up()
    bench.first_ping()
    bench.many()
finally:
    bench.lab.stop()
