"""tunnels - what the benches of gateways share: bare wireguard-go beside ours in the same places, changed over its UAPI socket as ours is,
and the controller's API over one open connection. No process is started within anything that is timed."""
import base64
import http.client
import json
import os
import random
import select
import socket
import statistics
import struct
import subprocess
import threading
import time

from fixture.cell import Cell
from fixture.cluster import wait_until
from fixture.packet import ICMP6, ETH_P_IPV6, ipv6, raw, with_checksum

PORT, MTU = 51820, 1420


class Api:
    """The controller's own socket: one connection, one request at a time."""

    def __init__(self, lab):
        self.path = str(lab.controller.path("/run/sixpn/controller.sock"))
        self.open()

    def open(self):
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.settimeout(60)
        self.connection.sock.connect(self.path)
        self.used = time.monotonic()

    def send(self, method, path, text):
        self.connection.request(method, path, text, {"Content-Type": "application/json"})
        return self.connection.getresponse()

    def __call__(self, method, path, body=None):
        if time.monotonic() > self.used + 2:  # the server ends what is idle
            self.open()
        text = json.dumps(body) if body is not None else None
        try:
            reply = self.send(method, path, text)
        except ConnectionError:  # it ended this one just then, before it read anything
            self.open()
            reply = self.send(method, path, text)
        text = reply.read()
        self.used = time.monotonic()
        if reply.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {reply.status} {text[:300].decode()}")
        if reply.will_close:
            self.open()
        return json.loads(text)


def key_pair():
    private = subprocess.check_output(["wg", "genkey"], text=True).strip()
    return private, subprocess.check_output(["wg", "pubkey"], input=private, text=True).strip()


def some_key(number):
    """A public key of nobody: any number below the prime is a point."""
    return base64.b64encode(random.Random(number).randbytes(31) + b"\x11").decode()


def hexa(key):
    return base64.b64decode(key).hex()


class Tunnel:
    """A bare wireguard-go in a cell."""

    def __init__(self, cell, device="wg0"):
        self.cell, self.device = cell, device
        self.start()

    def start(self):
        self.process = self.cell.spawn(f"wireguard-{self.device}", "wireguard-go", "-f", self.device)
        wait_until(lambda: self.path.exists(), 10, "wireguard-go")
        self.cell.out("sh", "-ec", f"ip link set {self.device} mtu {MTU} up")

    @property
    def path(self):
        return self.cell.path(f"/run/wireguard/{self.device}.sock")

    @property
    def pid(self):
        return next(outer for outer, _, command in self.cell.inner_pids() if command == f"wireguard-go -f {self.device}")

    def stop(self):
        os.kill(self.pid, 15)
        self.process.wait()
        self.path.unlink(missing_ok=True)

    def set(self, **device):
        peers = device.pop("peers", [])
        lines = [f"{k}={v}" for k, v in device.items()]
        for key, allowed, endpoint in peers:
            lines += [f"public_key={hexa(key)}", "replace_allowed_ips=true", *(f"allowed_ip={a}" for a in allowed)]
            lines += [f"endpoint={endpoint}"] if endpoint else []
        text = "set=1\n" + "\n".join(lines) + "\n\n"
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(self.path))
            s.sendall(text.encode())
            said = b""
            while not said.endswith(b"\n\n"):
                part = s.recv(4096)
                if not part:
                    break
                said += part
        if said.strip() != b"errno=0":
            raise RuntimeError(f"{self.cell.name}: wireguard-go says {said.decode().strip()}")

    def connect(self, private, public_key, endpoint, allowed=("::/0",)):
        """From anew: to this other end and no other."""
        self.set(private_key=hexa(private), replace_peers="true", peers=[(public_key, allowed, endpoint)])


class Pinger:
    """Echoes made by hand, past the machine's addresses and routes, so that a tunnel needs none of them."""

    def __init__(self, cell, device):
        def make():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6))
            s.bind((device, ETH_P_IPV6))
            return s
        self.socket, self.device = cell.call(make), device
        self.socket.setblocking(False)

    def send(self, source, there, number):
        body = with_checksum(source, there, ICMP6, struct.pack("!BBHHH", 128, 0, 0, 0x5158, number) + bytes(8), 2)
        self.socket.sendto(ipv6(source, there, ICMP6, body), (self.device, ETH_P_IPV6, 0, 0, b""))

    def answers(self, source, there):
        """The numbers of the answers that have come."""
        got = []
        while True:
            try:
                p = self.socket.recv(2048)
            except BlockingIOError:
                return got
            if len(p) >= 48 and p[6] == ICMP6 and p[8:24] == raw(there) and p[24:40] == raw(source) and p[40] == 129:
                got.append(struct.unpack("!H", p[46:48])[0])

    def until_answered(self, source, there, patience=10):
        end, number = time.monotonic() + patience, 0
        while time.monotonic() < end:
            number += 1
            self.send(source, there, number)
            again = time.monotonic() + 1
            while time.monotonic() < again:
                select.select([self.socket], [], [], 0.05)
                if self.answers(source, there):
                    return
        raise TimeoutError(f"no answer of {there} to {source}")


class Watch(threading.Thread):
    """Pings all the time until it is stopped, and counts what is lost."""

    def __init__(self, lines, every=0.02):
        super().__init__(daemon=True)
        self.lines, self.every, self.ends = lines, every, threading.Event()
        self.sent, self.heard = [set() for _ in lines], [set() for _ in lines]

    def run(self):
        number = 0
        while not self.ends.is_set():
            number += 1
            for k, (pinger, source, there) in enumerate(self.lines):
                pinger.send(source, there, number)
                self.sent[k].add(number)
            self.listen()
            time.sleep(self.every)

    def listen(self):
        for k, (pinger, source, there) in enumerate(self.lines):
            self.heard[k].update(pinger.answers(source, there))

    def stop(self):
        """(sent, lost)"""
        self.ends.set()
        self.join()
        time.sleep(1)
        self.listen()
        return sum(map(len, self.sent)), sum(len(s - h) for s, h in zip(self.sent, self.heard))


def bare_cell(lab, name, number):
    cell = lab.cells[name] = Cell(name, lab.logs)
    lab.internet.plug(cell, number, "eth1", [name])
    return cell


def memory_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]


def median(values):
    return statistics.median(values)
