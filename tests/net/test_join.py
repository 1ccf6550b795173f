"""Join tokens: expired, used up, of another kind, with another key; and garbage on every port."""
import os
import random
import socket
import time

from fixture.cluster import API_PORT, CONTROLLER_ADDRESS, LINK_PORT, MESH_PORT, wait_until

NODES = [("ord-1", "ord"), ("ord-2", "ord"), ("nrt-1", "nrt")]


def refused(lab, name, token, extra=()):
    """A fresh machine tries to join; its daemon ends with a sentence."""
    cell = lab.nodes[name]
    path = cell.path("/run/other.token")
    path.touch(0o600)
    path.write_text(token)
    done = cell.run("sh", "-c", "exec \"$@\" 2>&1", "sh", *node(lab, name), "--join", "/run/other.token", *extra, timeout=30)
    assert done.returncode == 1, done.stdout
    return done.stdout


def node(lab, name):
    from fixture.cell import BIN
    return [BIN / "sixpn-node", "--name", name + "-x", "--state_dir", f"/var/lib/sixpn/fresh-{random.getrandbits(32):x}",
            "--run_dir", "/run/fresh"]


def test_a_used_up_token_is_refused(lab):
    token = lab.secret("node", "token", "create", "--region", "ord", "--uses", "1")
    cell = lab.nodes["ord-1"]
    first = cell.path("/run/first.token")
    first.touch(0o600)
    first.write_text(token)
    before = len(lab.json("node", "list")["items"])
    daemon = cell.popen(*node(lab, "ord-1"), "--join", "/run/first.token")
    wait_until(lambda: len(lab.json("node", "list")["items"]) == before + 1, 10, "the first use enrols")
    for pid in [p for p, _, c in cell.inner_pids() if "/run/fresh" in c and "nsenter" not in c]:
        os.kill(pid, 9)
    daemon.wait()
    text = refused(lab, "ord-2", token)
    assert "used" in text, text
    assert len(lab.json("node", "list")["items"]) == before + 1
    lab.sixpn("node", "delete", "ord-1-x", "--yes")


def test_an_expired_token_is_refused(lab):
    token = lab.secret("node", "token", "create", "--region", "ord", "--expires", "1s")
    time.sleep(1.2)
    assert "expired" in refused(lab, "ord-2", token)


def test_a_token_of_another_kind_is_refused(lab):
    token = lab.secret("node", "token", "create", "--region", "ord", "--kind", "gateway")
    assert "gateway" in refused(lab, "ord-2", token)


def test_a_wrong_secret_is_refused_and_not_quoted(lab):
    token = lab.secret("node", "token", "create", "--region", "ord")
    head, ident, secret, rest = token.split(".", 3)
    wrong = ("0" if secret[0] != "0" else "1") + secret[1:]
    text = refused(lab, "ord-2", ".".join([head, ident, wrong, rest]))
    assert wrong not in text and secret not in text


def test_a_token_that_is_none_is_refused_with_a_sentence(lab):
    assert "token" in refused(lab, "ord-2", "sixpn1.zz")


def test_a_revoked_node_cannot_come_back(lab):
    lab.sixpn("node", "delete", "nrt-1", "--yes")
    lab.stop_node("nrt-1")
    lab.start_node("nrt-1")
    time.sleep(1)
    names = [n["name"] for n in lab.json("status")["nodes"] if n["state"] == "ready"]
    assert "nrt-1" not in names, names
    lab.stop_node("nrt-1")


def test_garbage_on_every_port_changes_nothing(lab):
    rng = random.Random(20261122)
    cell = lab.nodes["ord-2"]

    def streams(address, heads):
        for _ in range(60):
            with socket.create_connection(address, 2) as s:
                s.settimeout(0.05)
                try:
                    s.sendall(rng.choice(heads) + rng.randbytes(rng.choice([1, 8, 100, 4000])))
                    s.recv(10)
                except (TimeoutError, OSError):
                    pass

    def datagrams(family, address):
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            for _ in range(200):
                s.sendto(rng.randbytes(rng.choice([1, 12, 60, 148, 1400])), address)

    def at_a_node():
        streams((CONTROLLER_ADDRESS, LINK_PORT), [b"", b"\0SP\0\0\x30\0\0"])
        datagrams(socket.AF_INET, (lab.underlay_address("ord-1"), MESH_PORT))
        datagrams(socket.AF_INET6, ("fdaa::3", 53))
        streams(("fdaa::3", 53), [b"", b"\0\x20"])

    started = lab.node_status("ord-2")["started_ms"]
    cell.call(at_a_node)
    lab.controller.call(lambda: streams(("127.0.0.1", API_PORT), [b"", b"GET /v1/status HTTP/1.1\r\n",
                                                                  b"POST /v1/orgs HTTP/1.1\r\nContent-Length: 9\r\n\r\n"]))
    text = cell.run("dig", "+time=2", "+tries=1", "@fdaa::3", "a.internal", "AAAA").stdout
    assert "status: REFUSED" in text, text  # its own host gets no names, but an answer
    assert lab.node_status("ord-2")["started_ms"] == started
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(lab.controller.path("/run/sixpn/controller.sock")))
        s.sendall(rng.randbytes(3000))
    assert all(n["state"] == "ready" for n in lab.json("status")["nodes"] if n["name"] != "nrt-1")
