"""A suspended organization: once the suspension is acknowledged no packet of it arrives anywhere, also not after daemons and the
controller were killed; its neighbours on the same machines lose none; resuming brings everything back as it was."""
import json
import select
import signal
import socket
import subprocess
import threading
import time

from fixture.cell import BUILD
from fixture.cluster import wait_until
from fixture.peer import PATIENCE, Peer

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
GATEWAYS = {"ord-1": "host,gateway"}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
FLOOD, PORT, LISTEN_S = BUILD / "tests/net/flood", 7000, 1.0


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.deploy("acme", "db", ["ord"], SLEEPER)
    lab.deploy("globex", "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


class Traffic:
    """Every member of a network sends datagrams to every other all the time, and asks its name server. What arrives is counted."""

    def __init__(self, members):
        self.members, self.over = members, threading.Event()
        self.ears = {m.name + m.id: self.ear(m) for m in members}
        self.mouths = {m.name + m.id: m.socket(socket.AF_INET6, socket.SOCK_DGRAM) for m in members}
        for s in self.mouths.values():
            s.setblocking(False)
        self.thread = threading.Thread(target=self.talk)
        self.thread.start()

    def ear(self, member):
        s = member.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind(("::", PORT))
        s.setblocking(False)
        return s

    def talk(self):
        question = b"\0\7\1\0\0\1\0\0\0\0\0\0" + b"\3web\10internal\0" + b"\0\34\0\1"
        while not self.over.wait(0.004):
            for who in self.members:
                mouth = self.mouths[who.name + who.id]
                for to in self.members:
                    self.send(mouth, who.name.encode(), to.address, PORT) if to is not who else None
                self.send(mouth, question, getattr(who, "resolver", "fdaa::3"), 53)

    @staticmethod
    def send(mouth, data, address, port):
        try:
            mouth.sendto(data, (address, port))
        except OSError:
            pass  # a full queue, or what the kernel was told of the packet before

    def arrived(self, seconds):
        """What arrives in that time: receiver -> who sent it. Answers of name servers too."""
        end, found = time.monotonic() + seconds, {name: set() for name in self.ears}
        sockets = {s: name for table in (self.ears, self.mouths) for name, s in table.items()}
        while (left := end - time.monotonic()) > 0:
            for s in select.select(list(sockets), [], [], left)[0]:
                try:
                    data, sender = s.recvfrom(2000)
                    found[sockets[s]].add("a name server" if sender[1] == 53 else data.decode())
                except OSError:
                    pass
        return found

    def forget(self):
        """What lies in the sockets arrived before now."""
        for s in [*self.ears.values(), *self.mouths.values()]:
            try:
                while s.recv(2000):
                    pass
            except OSError:
                pass

    def flows(self):
        everybody = {m.name for m in self.members}
        return all(heard == everybody - {m.name} | {"a name server"} for m in self.members for heard in [self.arrived_at[m.name + m.id]])

    def is_whole(self):
        self.arrived_at = self.arrived(0.3)
        return self.flows()

    def stop(self):
        self.over.set()
        self.thread.join()
        for s in [*self.ears.values(), *self.mouths.values()]:
            s.close()


def silent(traffic, when):
    found = {name: heard for name, heard in traffic.arrived(LISTEN_S).items() if heard}
    assert not found, f"{when}: {found}"


def test_nothing_of_a_suspended_organization_arrives_and_its_neighbours_lose_nothing(lab):
    laptop = Peer(lab, "acme", "laptop", "ord-1").connect()
    members = [lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1"), lab.instance("acme", "db", "ord-1"), laptop]
    here, there = lab.instance("globex", "web", "ord-1"), lab.instance("globex", "web", "nrt-1")
    wait_until(lambda: here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0, PATIENCE, "globex")
    traffic = Traffic(members)
    flood = here.popen(FLOOD, there.address, "1000", "1000", stdout=subprocess.PIPE, text=True)
    try:
        wait_until(traffic.is_whole, PATIENCE, "everybody of acme hears everybody")
        before = {i["id"]: i for i in lab.instances("acme")}
        reply = lab.json("org", "suspend", "acme")
        traffic.forget()
        assert reply["suspended"], reply
        silent(traffic, "after the suspension")
        status = lab.json("status")
        assert status["healthy"] and status["suspended"] == {"orgs": ["acme"], "networks": 1}, status
        assert "suspended, nothing of theirs passes: acme" in lab.sixpn("status")
        for name in ("ord-1", "nrt-1"):
            lab.restart_node(name, signal.SIGKILL)
            silent(traffic, f"after kill -9 of the daemon of {name}")
        lab.controller.signal("sixpn-controller", signal.SIGKILL)
        lab.controller.daemons["controller"].wait()
        lab.stop_node("nrt-1", signal.SIGKILL)
        lab.start_node("nrt-1")
        wait_until(lambda: lab.answers("nrt-1"), PATIENCE, "nrt-1 without a controller")
        silent(traffic, "without a controller")
        lab.start_controller()
        wait_until(lab.ready, 30, "all nodes ready")
        silent(traffic, "after a start of the controller")
        lab.sixpn("org", "resume", "acme")
        key = laptop.record["gateway_public_key"]  # as one who was not connected: its own WireGuard would find out after 15 s
        laptop.out("sh", "-c", f"wg set wg0 peer {key} remove; wg set wg0 peer {key} endpoint {laptop.endpoint} allowed-ips ::/0")
        wait_until(traffic.is_whole, 40, "everybody of acme hears everybody again")
        after = {i["id"]: i for i in lab.instances("acme")}
        assert {k: (v["address"], v["observed"]["restarts"]) for k, v in before.items()} == \
            {k: (v["address"], v["observed"]["restarts"]) for k, v in after.items()}, (before, after)
        assert lab.json("status")["suspended"] == {"orgs": [], "networks": 0}
    finally:
        traffic.stop()
        here.cell.signal("flood", signal.SIGTERM)
        result = json.loads(flood.communicate(timeout=60)[0])
    print(f"      globex meanwhile: {result['sent']} pings, {result['lost']} lost")
    assert result["lost"] == 0 and result["received"] == result["sent"] > 0, result
