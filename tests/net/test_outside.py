"""Names outside the 6PN with nothing configured: the machine's own resolv.conf, and what goes over the wire."""
import json
import random
import re

from fixture.cluster import OUTSIDE_ADDRESS, Skip, wait_until

NODES = [("ord-1", "ord")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
CONF = "/run/machine-resolv.conf"


def name():
    """Never asked before: no cache knows it."""
    return f"n{random.getrandbits(40):010x}.outside.example"


def upstreams(lab):
    return [u["address"] for u in lab.node_status("ord-1")["dns"]["forward"]["upstreams"]]


def follow(lab, text):
    """Another resolv.conf; the node looks when somebody asks."""
    cell, place = lab.nodes["ord-1"], lab.instance("acme", "web")
    cell.path(CONF).write_text(text)
    want = [f"{a}:53" for a in re.findall(r"nameserver (\S+)", text) if ":" not in a]

    def asked():
        place.run("dig", "+time=1", "+tries=1", "@fdaa::3", name(), "A")
        return upstreams(lab) == want
    wait_until(asked, 20, f"upstreams {want}")


def prepare(lab):
    lab.start_outside()
    for org in ("acme", "globex"):
        lab.deploy(org, "web", ["ord"], SLEEPER)
    lab.settle()
    cell = lab.nodes["ord-1"]
    cell.path(CONF).write_text("# nobody\n")
    if cell.run("mount", "--bind", CONF, "/etc/resolv.conf").returncode:
        raise Skip("this machine has no /etc/resolv.conf to put another over")


def test_without_a_server_names_outside_are_servfail_at_once(lab):
    follow(lab, "# nobody\n")
    assert lab.instance("acme", "web").rcode(name(), "A") == ("SERVFAIL", 0)


def test_the_servers_of_the_machine_are_asked_and_ours_is_left_out(lab):
    follow(lab, f"nameserver fdaa::3\nnameserver {OUTSIDE_ADDRESS}\n")
    place = lab.instance("acme", "web")
    one = name()
    for tcp in (False, True):
        assert place.dig(one, "A", tcp=tcp) == ["192.0.2.80"]
        assert place.dig(one, "AAAA", tcp=tcp) == ["2001:db8::80"]
    assert place.run("getent", "ahosts", one).stdout.split()[0] in ("192.0.2.80", "2001:db8::80")
    assert len("".join(re.findall(r'"([^"]*)"', " ".join(place.dig(name(), "TXT"))))) == 3000


def test_another_file_is_followed(lab):
    follow(lab, "nameserver 10.80.0.99\n")
    # dig waits longer than we do for a server that says nothing
    text = lab.instance("acme", "web").out("dig", "+time=9", "+tries=1", "@fdaa::3", name(), "A")
    assert "status: SERVFAIL" in text and "EDE: 2" in text, text
    follow(lab, f"nameserver {OUTSIDE_ADDRESS}\n")
    assert lab.instance("acme", "web").dig(name(), "A") == ["192.0.2.80"]


def test_two_networks_share_no_answer(lab):
    one = name()
    for _ in range(2):
        for org in ("acme", "globex"):
            assert lab.instance(org, "web").dig(one, "A") == ["192.0.2.80"]
    assert lab.outside_record().count(f"udp {one} A") == 2


def test_questions_upstream_never_carry_the_mark_of_the_6pn(lab):
    cell, place = lab.nodes["ord-1"], lab.instance("acme", "web")
    cell.out("nft", "add table ip seen; add chain ip seen out { type filter hook output priority 0; }; "
                    "add counter ip seen every; add counter ip seen marked; "
                    "add rule ip seen out ip daddr 10.80.0.53 counter name every; "
                    "add rule ip seen out ip daddr 10.80.0.53 meta mark != 0 counter name marked")
    for kind in ("A", "TXT"):
        assert place.dig(name(), kind)
    seen = {c["counter"]["name"]: c["counter"]["packets"]
            for c in json.loads(cell.out("nft", "-j", "list", "counters", "table", "ip", "seen"))["nftables"] if "counter" in c}
    cell.out("nft", "delete", "table", "ip", "seen")
    assert seen["every"] > 4 and seen["marked"] == 0, seen


def test_nothing_private_was_heard_outside(lab):
    strange = [line for line in lab.outside_record().splitlines()
               if not line.split()[1].endswith(".outside.example") and line.split()[1:] != [".", "NS"]]
    assert not strange, strange
