"""The gateway role with real wireguard-go peers: they reach their own network on every machine, their resolver and each other; whatever
else they send arrives nowhere. One cluster: a gateway, a machine that is gateway and host, a host."""
import json
import re
import subprocess
import time

from fixture.cell import Cell
from fixture.cluster import wait_until

NODES = [("gw-ord", "ord"), ("dev-1", "dev"), ("nrt-1", "nrt")]
GATEWAYS = {"gw-ord": "gateway", "dev-1": "host,gateway"}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
PATIENCE = 15


class Peer(Cell):
    """A customer's machine with plain WireGuard on device wg0: the key is made here, the rest is what the API says."""

    def __init__(self, lab, org, name, gateway, network="default", endpoint=4):
        super().__init__(f"{org}-{name}", lab.logs)
        lab.cells[self.name] = self
        self.lab, self.org, self.short = lab, org, name
        lab.internet.plug(self, 100 + len(lab.cells), "eth0")
        self.private = subprocess.check_output(["wg", "genkey"], text=True).strip()
        self.public = subprocess.check_output(["wg", "pubkey"], input=self.private, text=True).strip()
        self.record = lab.json("peer", "create", name, "--org", org, "--gateway", gateway, "--public-key", self.public, "-o", f"/run/{org}-{name}.conf")
        self.record = self.record.get("peer", self.record)
        self.address, self.id = self.record["address"].split("/")[0], self.record["id"]
        self.network = ":".join(self.address.split(":")[:3])
        self.resolver = f"{self.network}::3"
        host = lab.internet.address_of(f"{gateway}.example.net", endpoint)
        self.endpoint = f"[{host}]:51820" if endpoint == 6 else f"{host}:51820"

    def connect(self):
        self.spawn("wireguard", "wireguard-go", "-f", "wg0")
        wait_until(lambda: self.path("/run/wireguard/wg0.sock").exists(), 10, "wireguard-go of a peer")
        self.path("/run/key").write_text(self.private + "\n")
        self.out("sh", "-ec", f"wg set wg0 private-key /run/key peer {self.record['gateway_public_key']} endpoint {self.endpoint} "
                              f"allowed-ips ::/0,0.0.0.0/0; ip link set wg0 mtu 1420 up; ip -6 addr add {self.address}/128 dev wg0 nodad; "
                              f"ip -6 route add fdaa::/16 dev wg0 src {self.address}")
        return self

    def pings(self, address, count=1):
        done = self.run("ping", "-6", "-c", str(count), "-i", "0.2", "-W", "1", "-n", address)
        return done.returncode == 0

    def reaches(self, address, what="an answer"):
        wait_until(lambda: self.pings(address), PATIENCE, f"{self.name}: {what} from {address}")


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
