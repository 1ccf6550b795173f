"""A gateway that is restarted, killed, tampered with, suspended and taken off its machine, with live peers all the while."""
import json
import os
import re
import signal
import socket
import subprocess
import time

from fixture.cell import BIN, BUILD
from fixture.cluster import Instance, wait_until
from fixture.peer import PATIENCE, Peer

NODES = [("gw-ord", "ord"), ("dev-1", "dev"), ("nrt-1", "nrt")]
GATEWAYS = {"gw-ord": "gateway", "dev-1": "host,gateway"}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
FLOOD = BUILD / "tests/net/flood"
PINS = "/sys/fs/bpf/sixpn"
people = {}


def prepare(lab):
    lab.deploy("acme", "web", ["nrt", "dev"], SLEEPER)
    lab.deploy("globex", "web", ["nrt"], SLEEPER)
    lab.settle()
    for name, org, gateway in (("laptop", "acme", "gw-ord"), ("phone", "acme", "gw-ord"), ("office", "acme", "dev-1"), ("spy", "globex", "gw-ord")):
        people[name] = Peer(lab, org, name, gateway).connect()
    for peer in people.values():
        peer.reaches(there(lab, peer).address)


def there(lab, peer):
    return lab.instance(peer.org, "web", "nrt-1")


def gateway(lab, name="gw-ord"):
    return lab.node_status(name)["gateway"]


def handshakes(lab, name="gw-ord"):
    """Of every peer, as WireGuard says it: public key -> time."""
    text = lab.nodes[name].out("wg", "show", "sixpn-peers", "latest-handshakes")
    return dict(line.split() for line in text.splitlines())


def test_what_is_seen_of_a_peer_reaches_the_controller(lab):
    laptop = people["laptop"]
    address = laptop.out("sh", "-c", "ip -4 -o addr show eth0 | awk '{print $4}'").split("/")[0]

    def status():
        return lab.json("peer", "status", "laptop", "--org", "acme")

    wait_until(lambda: status()["state"] == "online", PATIENCE, "laptop is online")
    seen = status()
    assert seen["endpoint"].rsplit(":", 1)[0] == address and seen["handshake_age_s"] < 180, seen
    assert seen["rx_bytes"] > 0 and seen["tx_bytes"] > 0, seen
    assert laptop.public not in (lab.logs / "gw-ord-node.log").read_text()
    wait_until(lambda: gateway(lab)["online"] == 3, PATIENCE, "all three of gw-ord are counted as online")


def test_twenty_restarts_lose_no_packet_and_no_handshake(lab):
    flows = [(people["laptop"], there(lab, people["laptop"])), (there(lab, people["office"]), people["office"]), (people["phone"], people["laptop"])]
    before = {n: (gateway(lab, n)["ifindex"], handshakes(lab, n), lab.nodes[n].pids_of("wireguard-go")) for n in GATEWAYS}
    floods = [a.popen(FLOOD, b.address, "2000", "3000", stdout=subprocess.PIPE, text=True) for a, b in flows]
    for number in range(10):
        for name in GATEWAYS:
            lab.restart_node(name, signal.SIGKILL if number % 2 else signal.SIGTERM)
    for place in {a if isinstance(a, Peer) else a.cell for a, _ in flows}:
        place.signal("flood", signal.SIGTERM)
    results = [json.loads(f.communicate(timeout=60)[0]) for f in floods]
    for (a, b), r in zip(flows, results):
        print(f"      {a.name} to {b.name}: {r['sent']} pings, {r['lost']} lost, the slowest took {r['longest_ms']} ms")
    assert all(r["lost"] == 0 and r["received"] == r["sent"] for r in results), results
    for name in GATEWAYS:
        ifindex, shaken, pids = before[name]
        now = gateway(lab, name)
        assert now["ifindex"] == ifindex and now["changes"] == 0 and lab.nodes[name].pids_of("wireguard-go") == pids, now
        assert shaken.keys() == handshakes(lab, name).keys()


def test_kill_9_of_wireguard_go_heals_where_the_peers_were(lab):
    laptop, cell = people["laptop"], lab.nodes["gw-ord"]
    target, index = there(lab, laptop), gateway(lab)["ifindex"]
    wait_until(lambda: gateway(lab)["looks"] >= 2, PATIENCE, "it knows where its peers are")
    process = [pid for pid in cell.pids_of("wireguard-go") if "sixpn-peers" in open(f"/proc/{pid}/cmdline").read()]
    begun = time.monotonic()
    os.kill(process[0], signal.SIGKILL)
    wait_until(lambda: laptop.pings(target.address), PATIENCE, "traffic of a live peer is back")
    seconds = time.monotonic() - begun
    now = gateway(lab)
    assert now["ifindex"] == index and now["restarts"] == 1, now
    for peer in people.values():
        peer.reaches(there(lab, peer).address)
    print(f"      traffic back after {seconds:.2f} s, ifindex {index} as before")


def test_a_stopped_wireguard_go_is_replaced(lab):
    cell, laptop = lab.nodes["gw-ord"], people["laptop"]
    process = [pid for pid in cell.pids_of("wireguard-go") if "sixpn-peers" in open(f"/proc/{pid}/cmdline").read()]
    os.kill(process[0], signal.SIGSTOP)
    begun, slowest = time.monotonic(), 0.0
    while gateway(lab)["restarts"] < 2:
        asked = time.monotonic()
        lab.node_status("gw-ord")
        slowest = max(slowest, time.monotonic() - asked)
        assert time.monotonic() - begun < 60, "nobody missed it"
        time.sleep(0.05)
    laptop.reaches(there(lab, laptop).address)
    print(f"      replaced and traffic back after {time.monotonic() - begun:.1f} s; the daemon's longest silence was {slowest:.2f} s")
    assert slowest < 6  # a daemon that waited for wireguard-go would be silent for ten


# ---- drift


def repaired(lab, kind, words, command, is_right):
    cell = lab.nodes["gw-ord"]
    before = lab.node_status("gw-ord")["drift"]["repairs"][kind]
    begun = time.monotonic()
    cell.out("sh", "-c", command)
    wait_until(lambda: lab.node_status("gw-ord")["drift"]["repairs"][kind] > before, PATIENCE, f"{kind} is counted after: {command}")
    wait_until(is_right, 5, f"{kind} is right again after: {command}")
    log = (lab.logs / "gw-ord-node.log").read_text()
    assert any(f"drift: {kind}: " in line and re.search(words, line) for line in log.splitlines()), f"{kind}: the log does not name {words}"
    print(f"      {kind}: {command[:70]}: {time.monotonic() - begun:.1f} s", flush=True)


def has_programs(cell):
    """By the pinned links of the device, as bpftool reads them."""
    index = cell.out("cat", "/sys/class/net/sixpn-peers/ifindex")
    for way in ("ingress", "egress"):
        link = cell.run("bpftool", "-j", "link", "show", "pinned", f"{PINS}/link_{index}_{way}")
        if link.returncode:
            return False
        program = json.loads(cell.run("bpftool", "-j", "prog", "show", "id", str(json.loads(link.stdout)["prog_id"])).stdout)
        if program.get("name") != f"peer_{way}":
            return False
    return True


def test_what_is_changed_by_hand_is_put_right(lab):
    cell, laptop, spy = lab.nodes["gw-ord"], people["laptop"], people["spy"]
    net, foreign = laptop.network, spy.network

    def routes(table):
        return cell.out("ip", "-6", "route", "show", "table", table)

    def allowed(peer):
        return dict(line.split("\t") for line in cell.out("wg", "show", "sixpn-peers", "allowed-ips").splitlines()).get(peer.public)

    route = next(line.split()[0] for line in routes("6000").splitlines() if line.startswith(net) and "sixpn-peers" in line)
    own = allowed(laptop)
    cases = [
        ("peers_route", "which was gone", f"ip -6 route del {route} dev sixpn-peers table 6000", lambda: route in routes("6000")),
        ("peers_route", "is nobody's", "ip -6 route add fdaa:7:7::/48 dev sixpn-peers table 6000", lambda: "fdaa:7:7" not in routes("6000")),
        ("peers_resolver", "::3/128, which was gone", f"ip -6 route del local {net}::3 table local", lambda: f"{net}::3" in routes("local")),
        ("peers_device", "was down", "ip link set sixpn-peers down", lambda: route in routes("6000")),
        ("peers_device", "another MTU", "ip link set sixpn-peers mtu 1300", lambda: "mtu 1420" in cell.out("ip", "link", "show", "sixpn-peers")),
        ("peers_device", "another key or port", "wg set sixpn-peers listen-port 51999",
         lambda: cell.out("wg", "show", "sixpn-peers", "listen-port") == "51820"),
        ("peer", "was missing", f"wg set sixpn-peers peer {laptop.public} remove", lambda: allowed(laptop) == own),
        ("peer", "was changed", f"wg set sixpn-peers peer {laptop.public} allowed-ips ::/0", lambda: allowed(laptop) == own),
        ("peer", "was changed", f"wg set sixpn-peers peer {laptop.public} allowed-ips {own},{allowed(spy)}",
         lambda: allowed(laptop) == own and allowed(spy) not in ("(none)", own)),
        ("peer", "is nobody's", f"wg set sixpn-peers peer $(wg genkey | wg pubkey) allowed-ips {foreign}::/48",
         lambda: f"{foreign}::/48" not in cell.out("wg", "show", "sixpn-peers", "allowed-ips")),
        ("peers_program", "peer_ingress of sixpn-peers", f"rm {PINS}/link_$(cat /sys/class/net/sixpn-peers/ifindex)_ingress",
         lambda: has_programs(cell)),
        ("peers_program", "peer_egress of sixpn-peers",
         f"bpftool link detach pinned {PINS}/link_$(cat /sys/class/net/sixpn-peers/ifindex)_egress", lambda: has_programs(cell)),
    ]
    for case in cases:
        repaired(lab, *case)
    for peer in people.values():
        peer.reaches(there(lab, peer).address)
    assert not laptop.pings(there(lab, spy).address)


def test_a_device_that_was_deleted_comes_back_with_everything(lab):
    cell, laptop = lab.nodes["gw-ord"], people["laptop"]
    before = gateway(lab)["ifindex"]
    repaired(lab, "peers_device", "which was gone", "ip link del sixpn-peers", lambda: gateway(lab)["ifindex"] != before)
    for peer in people.values():
        peer.reaches(there(lab, peer).address)
    assert has_programs(cell)
    assert not laptop.pings(there(lab, people["spy"]).address)


def test_a_device_that_cannot_have_its_programs_stays_down(lab):
    """Made anew while nothing can be pinned: it must not be up for a moment."""
    cell, laptop = lab.nodes["gw-ord"], people["laptop"]
    seen = 0
    cell.out("mount", "-o", "remount,ro", PINS[:PINS.rindex("/")])
    try:
        cell.out("ip", "link", "del", "sixpn-peers")
        begun = time.monotonic()
        while time.monotonic() - begun < 3:
            link = cell.run("ip", "-j", "link", "show", "sixpn-peers").stdout
            flags = json.loads(link)[0]["flags"] if link.strip() else []
            assert "UP" not in flags, flags
            seen += bool(flags)
    finally:
        cell.out("mount", "-o", "remount,rw", PINS[:PINS.rindex("/")])
    assert seen, "it was never made"
    wait_until(lambda: has_programs(cell), PATIENCE, "its programs")
    for peer in people.values():
        if peer is not people["office"]:  # of another gateway
            comes_anew(peer)
        peer.reaches(there(lab, peer).address)


# ---- changes


def test_rekey_keeps_the_address_and_shuts_the_old_key_out(lab):
    phone = people["phone"]
    private = subprocess.check_output(["wg", "genkey"], text=True).strip()
    public = subprocess.check_output(["wg", "pubkey"], input=private, text=True).strip()
    lab.json("peer", "rekey", "phone", "--org", "acme", "--public-key", public, "-o", "/run/rekeyed.conf")
    keys = handshakes(lab)
    assert public in keys and phone.public not in keys, keys
    assert not phone.pings(there(lab, phone).address)
    phone.path("/run/key").write_text(private + "\n")
    phone.out("wg", "set", "wg0", "private-key", "/run/key")
    phone.public = public
    phone.reaches(there(lab, phone).address)


def test_what_is_suspended_passes_nothing_and_comes_back(lab):
    laptop, phone, cell = people["laptop"], people["phone"], lab.nodes["gw-ord"]
    target = there(lab, laptop).address
    lab.sixpn("peer", "update", "laptop", "--org", "acme", "--suspended", "yes")
    assert laptop.public not in handshakes(lab)
    assert not laptop.pings(target) and phone.pings(target)
    lab.sixpn("peer", "update", "laptop", "--org", "acme", "--suspended", "no")
    assert laptop.public in handshakes(lab)
    lab.sixpn("org", "suspend", "acme")
    wait_until(lambda: laptop.network not in cell.out("ip", "-6", "route", "show", "table", "all"), PATIENCE, "no way of acme")
    assert set(handshakes(lab)) == {people["spy"].public}
    assert not phone.pings(laptop.address) and not phone.pings(phone.resolver) and people["spy"].pings(there(lab, people["spy"]).address)
    lab.sixpn("org", "resume", "acme")
    both = [p.popen("ping", "-6", "-i", "0.2", "-n", target, stdout=subprocess.DEVNULL) for p in (laptop, phone)]  # both notice at once
    try:
        for peer in (laptop, phone):
            wait_until(lambda peer=peer: peer.pings(peer.resolver) and peer.pings(target), 40, f"{peer.name} is back")
    finally:
        for ping in both:
            ping.kill()
            ping.wait()


def comes_anew(peer):
    """As a customer who was not connected: one who was would find out in 15 s that the gateway knows him no more."""
    key = peer.record["gateway_public_key"]
    peer.out("sh", "-c", f"wg set wg0 peer {key} remove; wg set wg0 peer {key} endpoint {peer.endpoint} allowed-ips ::/0")


def test_without_a_controller_a_gateway_starts_and_lets_its_peers_in(lab):
    laptop = people["laptop"]
    target = there(lab, laptop).address
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    lab.stop_node("gw-ord", signal.SIGKILL)
    lab.nodes["gw-ord"].signal("wireguard-go", signal.SIGKILL)
    lab.start_node("gw-ord")
    wait_until(lambda: lab.answers("gw-ord"), PATIENCE, "the gateway is up")
    assert gateway(lab)["peers"] == 3
    comes_anew(laptop)
    laptop.reaches(target)
    lab.start_controller()
    wait_until(lab.ready, 20, "all nodes ready")


def test_another_name_in_the_configuration_is_given_to_customers_from_then_on(lab):
    def endpoint():
        return lab.json("peer", "show", "laptop", "--org", "acme")["endpoint"]

    assert endpoint() == "gw-ord.example.net:51820"
    lab.stop_node("gw-ord")
    lab.start_node("gw-ord", "--gateway_host", "gw2.example.net")
    wait_until(lambda: endpoint() == "gw2.example.net:51820", PATIENCE, "the new name")
    people["laptop"].reaches(there(lab, people["laptop"]).address)


def test_a_port_that_somebody_else_has_is_told_and_taken_when_it_is_free(lab):
    """Of a machine that came back with another WireGuard at work: it must not stay without its daemon."""
    cell, laptop = lab.nodes["gw-ord"], people["laptop"]
    target = there(lab, laptop).address
    lab.stop_node("gw-ord")
    cell.signal("wireguard-go", signal.SIGKILL)
    with cell.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        wait_until(lambda: takes(other, 51820), PATIENCE, "the port")
        lab.start_node("gw-ord")
        wait_until(lambda: any("UDP port 51820" in e["text"] for e in lab.json("node", "errors", "gw-ord")["items"]), PATIENCE, "the error")
    comes_anew(laptop)
    laptop.reaches(target)
    wait_until(lambda: not lab.json("node", "errors", "gw-ord")["items"], PATIENCE, "no error any more")


def takes(sock, port):
    try:
        sock.bind(("::", port))
        return True
    except OSError:
        return False


def test_a_machine_without_the_role_lets_nobody_in_and_takes_nobody(lab):
    """dev-1 becomes a host only, by its configuration."""
    cell, office = lab.nodes["dev-1"], people["office"]
    comes_anew(office)  # its organization was suspended while it said nothing
    office.reaches(there(lab, office).address)
    gateway_index = gateway(lab, "dev-1")["ifindex"]
    lab.stop_node("dev-1")
    lab.start_node("dev-1", "--roles", "host")
    wait_until(lambda: lab.answers("dev-1") and lab.node_status("dev-1")["sync"]["synced"], PATIENCE, "dev-1 is back")
    assert not office.pings(there(lab, office).address) and not office.pings(office.resolver)
    left = cell.out("sh", "-c", "ip -br link; ip -6 route show table all; ps axo args=; ls /sys/fs/bpf/sixpn")
    assert "sixpn-peers" not in left and f"{office.network}::3" not in left, left
    assert f"link_{gateway_index}" not in left, left
    refused = lab._run("peer", "create", "tablet", "--org", "acme", "--gateway", "dev-1", "-o", "/run/tablet.conf")
    assert refused.returncode and "roles" in refused.stderr + refused.stdout, (refused.stdout, refused.stderr)
    assert there(lab, office).run("ping", "-6", "-c", "1", "-W", "2", lab.instance("acme", "web", "dev-1").address).returncode == 0
    lab.stop_node("dev-1")
    lab.start_node("dev-1")
    comes_anew(office)
    office.reaches(there(lab, office).address)


def test_leave_takes_all_of_it_away(lab):
    """Also of roles that were taken out of the configuration before: of dev-1, which has instances, and of the gateway."""
    for name, roles in (("dev-1", "gateway"), ("gw-ord", "host")):
        cell = lab.nodes[name]
        lab.stop_node(name)
        done = cell.run(BIN / "sixpn-node", "leave", "--name", name, "--roles", roles)
        assert done.returncode == 0, done.stderr
        left = {what: cell.run("sh", "-c", command).stdout for what, command in {
            "devices": "ip -br link | grep -E '^(sixpn|sx)'", "routes": "ip -6 route show table all | grep fdaa", "nftables": "nft list ruleset",
            "pins": "ls /sys/fs/bpf/sixpn", "processes": "ps axo comm= | grep -E 'sixpn|wireguard|sleep'"}.items()}
        assert not any(left.values()), (name, left)
