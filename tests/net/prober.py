"""prober - asks name servers, and shares no code with the programs that it judges.

    prober.py NAME PID...      one socket per PID, in its network namespace, connected to fdaa::3 port 53

A line "1 ADDRESS" or "0 ADDRESS" on standard input: all servers are asked for the AAAA of NAME at once, and ADDRESS must be in every
answer, or in none. One line on standard output: "ok", or what is wrong and at which server (its place in the list).
"""
import ctypes
import ipaddress
import os
import select
import socket
import struct
import sys
import time

AAAA, IN, HEADER = 28, 1, struct.Struct("!6H")
LIBC = ctypes.CDLL(None, use_errno=True)


def connect(pid):
    with open(f"/proc/{pid}/ns/net") as ns:
        if LIBC.setns(ns.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), "setns")
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.connect(("fdaa::3", 53))
    return s


def question(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0" + struct.pack("!2H", AAAA, IN)


def skip_name(packet, at):
    while True:
        length = packet[at]
        if length >= 0xC0:
            return at + 2
        at += 1 + length
        if not length:
            return at


def addresses(packet):
    """What an answer holds; ValueError if it is none."""
    _, flags, questions, answers, _, _ = HEADER.unpack_from(packet)
    if flags & 0x800F != 0x8000:
        raise ValueError(f"flags {flags:04x}")
    at, found = HEADER.size, set()
    for _ in range(questions):
        at = skip_name(packet, at) + 4
    for _ in range(answers):
        at = skip_name(packet, at)
        kind, _, _, size = struct.unpack_from("!HHIH", packet, at)
        at += 10
        if kind == AAAA:
            found.add(ipaddress.IPv6Address(packet[at:at + size]))
        at += size
    return found


def ask_all(sockets, body, number):
    """One answer of each, asked again where none comes: a datagram may be lost, and that says nothing about what is answered."""
    packet = HEADER.pack(number, 0x0100, 1, 0, 0, 0) + body
    got, end = {}, time.monotonic() + 6
    while len(got) < len(sockets) and time.monotonic() < end:
        for i, s in enumerate(sockets):
            if i not in got:
                s.send(packet)
        again = time.monotonic() + 2
        while len(got) < len(sockets) and time.monotonic() < again:
            ready, _, _ = select.select(sockets, [], [], 0.5)
            for s in ready:
                answer = s.recv(4096)
                if HEADER.unpack_from(answer)[0] == number:
                    got[sockets.index(s)] = answer
    return got


def judge(sockets, got, wanted, address):
    for i in range(len(sockets)):
        if i not in got:
            return f"server {i} gave no answer"
        try:
            found = addresses(got[i])
        except (ValueError, struct.error, IndexError) as error:
            return f"server {i} answered with no answer: {error}"
        if (address in found) != wanted:
            return f"server {i} is old: {'lacks' if wanted else 'still has'} {address}, has {sorted(map(str, found))}"
    return "ok"


def main():
    name, pids = sys.argv[1], sys.argv[2:]
    sockets, body, number = [connect(pid) for pid in pids], question(name), os.getpid()
    print("ready", flush=True)
    for line in sys.stdin:
        wanted, address = line.split()
        number = (number + 1) & 0xFFFF
        print(judge(sockets, ask_all(sockets, body, number), wanted == "1", ipaddress.IPv6Address(address)), flush=True)


main()
