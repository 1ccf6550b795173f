"""A customer with the command, wg-quick and nothing else: the private key is in the file and nowhere else; the file brings a tunnel up and
a rekey, a move and a lost answer leave one that does; the doctor finds nothing on a healthy machine and the one thing that is wrong."""
import base64
import json
import os
import re
import signal
import threading

from fixture.cell import BIN
from fixture.cluster import API_NAME, API_PORT, gateway_host, wait_until

NODES = [("gw-ord", "ord"), ("gw-dev", "dev")]
GATEWAYS = {name: "host,gateway" for name, _ in NODES}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
PATIENCE = 15


def visible(place):
    """Command lines and environments of all that runs there, as everybody on the machine (or its owner) can read them."""
    seen = b""
    for pid, _, _ in place.inner_pids():
        for what in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    seen += file.read() + b"\0"
            except OSError:
                pass  # it ended meanwhile
    return seen


def while_the_controller_stands(lab, place, file, *args):
    """Starts a command that makes this file; returns when it waits for its answer: what can be seen of it, and how to let it go on."""
    lab.controller.signal("sixpn-controller", signal.SIGSTOP)
    done = []
    running = threading.Thread(target=lambda: done.append(place.sixpn(*args)))
    running.start()
    wait_until(lambda: re.search(rf" [1-9]\d* +0 +\S+:{API_PORT} ", lab.controller.out("ss", "-Htn")), 10, "the request is in the controller's socket")
    assert "PrivateKey" in place.file(file)
    seen = visible(place)

    def finish(number):
        lab.controller.signal("sixpn-controller", number)
        lab.controller.signal("sixpn-controller", signal.SIGCONT)  # what runs it stopped with it
        running.join(60)
        return done[0]

    return seen, finish


def private_key(text):
    return re.search(r"^PrivateKey = (\S{44})$", text, re.M).group(1)


def customer(lab, name, **kw):
    made = lab.internet.customer(name, **kw)
    made.log_in(lab.token, f"http://{API_NAME}:{API_PORT}")
    return made


def good(place, *args, status=0):
    done = place.sixpn(*args)
    assert done.returncode == status, (args, done)
    return done


def findings(place, *args):
    """What is worse than ok, by check."""
    done = place.here("env", "HOME=/run/home", *(f"{k}={v}" for k, v in place.environment.items()), BIN / "sixpn", "doctor", "peer", *args, "--json",
                      timeout=60)
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["fail"] else 0), done
    return {f["check"]: (f["level"], f["text"], f["next"]) for f in report["findings"] if f["level"] != "ok"}


def finds_only(place, checks, *args):
    """A gateway says what it sees of a new peer with its next look at all of them; until then the doctor says that it does not know."""
    found = {}

    def asked():
        found.clear()
        found.update(findings(place, *args))
        return set(found) == checks or "gateway" not in found

    wait_until(asked, PATIENCE, "the gateway has said what it sees")
    assert set(found) == checks, found
    return found


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "dev"], SLEEPER)
    lab.settle()
    lab.token = lab.secret("token", "create", "--org", "acme", "--profile", "peers", "--name", "people")
    lab.laptop = customer(lab, "laptop")


def test_the_private_key_is_in_the_file_and_in_nothing_else(lab):
    laptop = lab.laptop
    laptop.spawn("capture", "tcpdump", "-i", "eth0", "-s", "0", "-U", "-w", "/run/capture", "tcp", "port", str(API_PORT))
    wait_until(lambda: laptop.path("/run/capture").exists() and laptop.path("/run/capture").stat().st_size >= 24, 10, "tcpdump listens")
    seen, finish = while_the_controller_stands(lab, laptop, "laptop.conf", "peer", "create", "--org", "acme", "laptop", "--region", "ord", "-o",
                                               "laptop.conf")
    assert b"peer\0create" in seen
    made = finish(signal.SIGCONT)
    assert made.returncode == 0, made
    laptop.wg_quick("up", "laptop.conf")
    seen += visible(laptop)
    assert b"wireguard-go\0laptop" in seen
    text = laptop.file("laptop.conf")
    key = private_key(text)
    assert oct(laptop.path("/run/home/laptop.conf").stat().st_mode & 0o7777) == "0o600"
    assert "peer laptop" in made.stdout and "wg-quick up" in made.stderr
    assert key not in made.stdout + made.stderr
    assert key.encode() not in seen

    raw = base64.b64decode(key)
    public = laptop.out("sh", "-c", "wg pubkey < /dev/stdin", stdin=key)
    wait_until(lambda: public.encode() in laptop.path("/run/capture").read_bytes(), 10, "the capture has the request")
    laptop.signal("tcpdump", signal.SIGTERM)
    captured = laptop.path("/run/capture").read_bytes()
    assert key.encode() not in captured and raw not in captured
    places = [lab.controller, *lab.nodes.values()]
    kept = b"".join(f.read_bytes() for place in places for folder in ("/var/lib/sixpn", "/run/sixpn") for f in place.path(folder).rglob("*") if f.is_file())
    logged = b"".join(f.read_bytes() for f in lab.logs.glob("*.log"))
    assert public.encode() in kept or base64.b64decode(public) in kept, "the public key is nowhere: looked in the wrong place"
    for secret in (key.encode(), raw, raw.hex().encode()):
        assert secret not in kept and secret not in logged


def test_the_file_brings_a_tunnel_up_and_the_doctor_finds_nothing(lab):
    laptop = lab.laptop
    wait_until(lambda: laptop.run("ping", "-6", "-c1", "-W1", lab.instance("acme", "web", "gw-dev").address).returncode == 0, PATIENCE,
               "the laptop reaches an instance")
    assert laptop.dig("_apps.internal", "TXT", server=server(laptop)) == ['"web"']
    found = finds_only(laptop, {"resolver"}, "./laptop.conf")  # its own name server is nobody, and there is no resolvconf: said, with what to do
    assert "--dns all" in found["resolver"][2]
    wait_until(lambda: "online" in good(laptop, "peer", "status", "laptop").stdout, PATIENCE, "the gateway says that it is online")
    assert set(findings(laptop, "laptop")) == {"resolver"}  # by name, with the gateway's side


def server(place, file="laptop.conf"):
    return re.search(r"(fdaa\S+)::/48", place.file(file)).group(1) + "::3"


def test_the_doctor_finds_the_one_thing_that_is_wrong(lab):
    laptop = lab.laptop

    def broken(how, mend, check, words):
        laptop.out("sh", "-ec", how)
        try:
            found = findings(laptop, "./laptop.conf")
            assert check in found and words in found[check][1], (how, found)
            assert set(found) - {check} <= {"resolver", "dns-udp"}, found
            assert found[check][2], found
        finally:
            laptop.out("sh", "-ec", mend)

    broken("chmod 644 /run/home/laptop.conf", "chmod 600 /run/home/laptop.conf", "file-mode", "can be read by others")
    broken("ip link set laptop down", "ip link set laptop up; ip -6 addr replace $(sed -n 's/^Address = //p' /run/home/laptop.conf) dev laptop; "
           "ip -6 route replace $(sed -n 's/^AllowedIPs = //p' /run/home/laptop.conf) dev laptop", "interface", "not up")
    broken(f"ip link add other type veth peer name end && ip link set other up && ip -6 route add {server(laptop)}/128 dev other", "ip link del other",
           "route", "does not go through it")
    broken("ip link set laptop mtu 1500", "ip link set laptop mtu 1420", "mtu", "above the 1420")
    broken("nft add table ip6 f && nft add chain ip6 f o '{ type filter hook output priority 0; }' && nft add rule ip6 f o tcp dport 53 drop",
           "nft delete table ip6 f", "dns-tcp", "does not answer by TCP")
    broken("nft add table ip6 f && nft add chain ip6 f o '{ type filter hook output priority 0; }' && nft add rule ip6 f o ip6 length gt 1300 drop",
           "nft delete table ip6 f", "mtu", "do not")


def test_a_rekey_kills_the_old_file_and_says_so(lab):
    laptop, old = lab.laptop, lab.laptop.file("laptop.conf")
    good(laptop, "peer", "rekey", "laptop", "--org", "acme", "-o", "again.conf")
    new = laptop.file("again.conf")
    assert private_key(old) != private_key(new)
    assert [line for line in old.splitlines() if "PrivateKey" not in line] == [line for line in new.splitlines() if "PrivateKey" not in line]
    found = findings(laptop, "./laptop.conf")
    assert "somebody gave it another" in found["current"][1], found
    laptop.wg_quick("down", "laptop.conf")
    laptop.wg_quick("up", "again.conf")
    wait_until(lambda: laptop.run("ping", "-6", "-c1", "-W1", server(laptop)).returncode == 0, PATIENCE, "the new file works")
    laptop.wg_quick("down", "again.conf")


def test_a_move_differs_in_two_lines(lab):
    laptop, old = lab.laptop, lab.laptop.file("again.conf")
    good(laptop, "peer", "move", "laptop", "--region", "dev", "--from", "again.conf", "-o", "moved.conf")
    new = laptop.file("moved.conf")
    strip = lambda text: [line for line in text.splitlines() if not line.startswith(("#", "Endpoint", "PublicKey"))]  # noqa: E731
    assert strip(old) == strip(new)
    assert f"Endpoint = {gateway_host('gw-dev')}:51820" in new
    laptop.wg_quick("up", "moved.conf")
    wait_until(lambda: laptop.run("ping", "-6", "-c1", "-W1", server(laptop)).returncode == 0, PATIENCE, "the moved file works")
    finds_only(laptop, {"resolver"}, "./moved.conf")
    laptop.wg_quick("down", "moved.conf")


def test_list_update_prune_and_delete_say_what_is(lab):
    laptop = lab.laptop
    laptop.wg_quick("up", "moved.conf")
    good(laptop, "peer", "update", "laptop", "--suspended", "yes", "--expires", "1h")
    assert findings(laptop, "./moved.conf")["suspended"][0] == "FAIL"
    shown = json.loads(good(laptop, "peer", "show", "acme/laptop", "--json").stdout)
    assert shown["suspended"] and shown["expires_at"]
    good(laptop, "peer", "update", "laptop", "--suspended", "no", "--expires", "never")
    laptop.wg_quick("down", "moved.conf")  # the old session would notice by itself, after 15 s
    laptop.wg_quick("up", "moved.conf")
    wait_until(lambda: set(findings(laptop, "./moved.conf")) == {"resolver"}, PATIENCE, "the doctor finds nothing again")
    laptop.wg_quick("down", "moved.conf")

    long = "static-" + "x" * 80
    made = good(laptop, "peer", "create", "--org", "acme", long, "--region", "ord", "-o", "long.conf")
    label = re.search(r"in names it is called (\S+)\._peer\.internal", made.stderr).group(1)
    assert len(label) <= 63
    names = lambda *args: good(laptop, "peer", "list", "-q", *args).stdout.split()  # noqa: E731
    assert set(names()) == {"laptop", long} and names("--region", "dev") == ["laptop"]
    asked = laptop.sixpn("peer", "prune", "--org", "acme", "--never-used", "--older-than", "0s")
    assert asked.returncode == 2 and long in asked.stderr and "laptop\n" not in asked.stderr, asked
    assert good(laptop, "peer", "prune", "--org", "acme", "--never-used", "--older-than", "0s", "--yes").stdout == f"{long}\n"
    assert names() == ["laptop"]


def test_a_preshared_key_is_with_the_controller_and_its_gateway_where_only_root_reads_it(lab):
    laptop = lab.laptop
    made = good(laptop, "peer", "create", "--org", "acme", "shared", "--region", "ord", "--preshared", "-o", "shared.conf")
    key = re.search(r"^PresharedKey = (\S{44})$", laptop.file("shared.conf"), re.M).group(1)
    forms = (key.encode(), base64.b64decode(key), base64.b64decode(key).hex().encode())
    assert key not in made.stdout + made.stderr
    holders = set()
    for place in (lab.controller, *lab.nodes.values()):
        for path in (f for folder in ("/var/lib/sixpn", "/run/sixpn") for f in place.path(folder).rglob("*") if f.is_file()):
            if any(form in path.read_bytes() for form in forms):
                holders.add(place.name)
                assert not path.stat().st_mode & 0o077, f"{path} of {place.name}: {path.stat().st_mode:o}"
        assert not any(form in visible(place) for form in forms), place.name
    assert holders == {"controller", "gw-ord"}, holders
    logged = b"".join(f.read_bytes() for f in lab.logs.glob("*.log"))
    assert not any(form in logged for form in forms)
    laptop.wg_quick("up", "shared.conf")
    wait_until(lambda: laptop.run("ping", "-6", "-c1", "-W1", server(laptop, "shared.conf")).returncode == 0, PATIENCE, "a tunnel with it")
    laptop.wg_quick("down", "shared.conf")
    good(laptop, "peer", "delete", "shared", "--yes")


def test_nothing_is_printed_into_the_file_when_standard_output_is_closed(lab):
    laptop = lab.laptop
    laptop.out("sh", "-ec", 'cd /run/home; HOME=$PWD exec env "$@" >&- 2>&-', "sh", *(f"{k}={v}" for k, v in laptop.environment.items()), BIN / "sixpn",
               "peer", "create", "--org", "acme", "quiet", "--region", "ord", "-o", "quiet.conf")
    assert laptop.file("quiet.conf").splitlines()[-1].startswith("PersistentKeepalive"), laptop.file("quiet.conf")
    good(laptop, "peer", "delete", "quiet", "--yes")


def test_the_doctor_says_that_a_peer_is_gone(lab):
    """On a machine that still has its tunnel, and of a name without a file."""
    laptop = lab.laptop
    good(laptop, "peer", "create", "--org", "acme", "short", "--region", "ord", "-o", "short.conf")
    good(laptop, "peer", "delete", "short", "--yes")
    assert "knows no peer" in findings(laptop, "./short.conf")["current"][1]
    assert "knows no peer" in findings(laptop, "nobody")["current"][1]


def test_all_names_through_the_tunnel_with_openresolv(lab):
    other = customer(lab, "other", resolvconf="openresolv")
    good(other, "peer", "create", "--org", "acme", "other", "--region", "nrt", "--dns", "all", "-o", "other.conf", status=3)  # no such region
    assert not other.path("/run/home/other.conf").exists()
    good(other, "peer", "create", "--org", "acme", "other", "--region", "ord", "--dns", "all", "-o", "other.conf")
    other.wg_quick("up", "other.conf")
    wait_until(lambda: other.run("ping", "-6", "-c1", "-W1", server(other, "other.conf")).returncode == 0, PATIENCE, "the tunnel works")
    assert other.dig("_apps.internal", "TXT") == ['"web"']  # by its own resolv.conf
    finds_only(other, set(), "./other.conf")
    other.wg_quick("down", "other.conf")
    assert server(other, "other.conf") not in other.path("/etc/resolv.conf").read_text()


def test_a_controller_that_dies_over_the_request_leaves_a_key_that_can_be_used(lab):
    """Stopped before it reads, killed after the request is in its socket: nothing was made. Then the words that are printed are followed."""
    laptop = lab.laptop
    _, finish = while_the_controller_stands(lab, laptop, "lost.conf", "peer", "create", "--org", "acme", "lost", "-o", "lost.conf")
    lost = finish(signal.SIGKILL)
    assert lost.returncode == 5, lost
    assert "it is not known" in lost.stderr and "peer config lost --from lost.conf" in lost.stderr, lost
    key = private_key(laptop.file("lost.conf"))
    lab.controller.daemons["controller"].wait()
    lab.start_controller()
    wait_until(lambda: laptop.sixpn("peer", "list").returncode == 0, PATIENCE, "the controller is back")
    assert laptop.sixpn("peer", "show", "lost").returncode == 3  # it was not made: "remove the file, and ask again"
    assert key == private_key(laptop.file("lost.conf"))
    laptop.path("/run/home/lost.conf").unlink()
    wait_until(lab.ready, 20, "all nodes ready")
    good(laptop, "peer", "create", "--org", "acme", "lost", "-o", "lost.conf")
