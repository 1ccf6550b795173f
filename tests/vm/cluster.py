"""A cluster on kernel WireGuard: one machine that is gateway and host, one host, both with the kernel's devices, and one host whose
WireGuard is wireguard-go. Run inside a test machine by guest.py."""
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "net"))
from fixture import packet  # noqa: E402
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import Cluster, wait_until  # noqa: E402
from fixture.judge import Judge  # noqa: E402
from fixture.visitor import Visitor  # noqa: E402

NODES = [("ord-1", "ord"), ("nrt-1", "nrt"), ("dev-1", "dev")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
FLOOD = BUILD / "tests/net/flood"
MESH, PEERS = "sixpn-mesh", "sixpn-peers"
PATIENCE = 30
HAS_TCX = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", pathlib.Path("/proc/sys/kernel/osrelease").read_text()).groups()) >= (6, 6)


class Mixed(Cluster):
    backends = {"ord-1": "auto", "nrt-1": "kernel", "dev-1": "userspace"}

    def start_node(self, name, *extra):
        return super().start_node(name, "--repair_interval_ms", "1000", *extra)


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt", "dev"], SLEEPER)
    lab.deploy("globex", "web", ["ord", "dev"], SLEEPER)
    lab.settle()
    lab.laptop = Visitor(lab, lab.internet.customer("laptop"), org="acme", name="laptop", gateway="ord-1").up()


def kind(lab, node, device):
    link = json.loads(lab.nodes[node].out("ip", "-j", "-d", "link", "show", device))[0]
    return link["linkinfo"]["info_kind"]


def index(lab, node, device):
    return json.loads(lab.nodes[node].out("ip", "-j", "link", "show", device))[0]["ifindex"]


def pings(place, address):
    return place.run("ping", "-6", "-c1", "-W1", "-n", address).returncode == 0


def reaches(place, address, what):
    wait_until(lambda: pings(place, address), PATIENCE, what)


def drift(lab, node):
    """Repairs so far, by kind."""
    return lab.node_status(node)["drift"]


def test_each_machine_has_the_backend_that_it_was_told_and_says_so(lab):
    for node, want, backend in (("ord-1", "wireguard", "kernel"), ("nrt-1", "wireguard", "kernel"), ("dev-1", "tun", "userspace")):
        assert kind(lab, node, MESH) == want, node
        assert lab.node_status(node)["mesh"]["backend"] == backend, node
    assert kind(lab, "ord-1", PEERS) == "wireguard"
    assert not lab.nodes["ord-1"].pids_of("wireguard-go")
    assert len(lab.nodes["dev-1"].pids_of("wireguard-go")) == 1


def test_programs_are_attached_as_this_kernel_can(lab):
    for node in lab.nodes:
        pinned = lab.nodes[node].out("ls", "/sys/fs/bpf/sixpn").split()
        for device in [MESH] + ([PEERS] if node == "ord-1" else []):
            links = [name for name in pinned if name.startswith(f"link_{index(lab, node, device)}_")]
            assert len(links) == (2 if HAS_TCX else 0), f"{node} {device}: {links}"
    if not HAS_TCX:  # tc takes its time here: one question
        assert "direct-action" in lab.nodes["ord-1"].out("tc", "filter", "show", "dev", PEERS, "ingress")


def test_every_pair_of_machines_carries_packets_and_names_in_mesh_form(lab):
    ends = {node: lab.instance("acme", "web", node) for node in lab.nodes}
    for here in ends.values():
        for there in ends.values():
            if here is not there:
                reaches(here, there.address, f"{here.name} -> {there.name}")
    for here in ends.values():
        assert len(here.dig("web.internal", "AAAA")) == 3
    for node in ("ord-1", "nrt-1"):  # one /48 per machine, of the host word: what goes in there was swapped
        own = packet.swap(ends["dev-1"].address)
        allowed = lab.nodes[node].out("wg", "show", MESH, "allowed-ips")
        assert ":".join(own.split(":")[:3]) + "::/48" in allowed, allowed


def test_other_organizations_and_forged_sources_arrive_nowhere(lab):
    here, there = lab.instance("acme", "web", "nrt-1"), lab.instance("acme", "web", "ord-1")
    foreign = [lab.instance("globex", "web", node) for node in ("ord-1", "dev-1")]
    with Judge(lab) as judge:
        judge.listen(there)
        for victim in foreign:
            judge.listen(victim)
        bad = [judge.send(here, source, victim.address, "udp") for victim in foreign
               for source in (here.address, victim.address[:-1] + "9", packet.swap(victim.address))]
        bad += [judge.send(here, packet.swap(here.address), packet.swap(there.address), "udp")]
        assert judge.arrives(here, there, 10)
        for victim in foreign:
            seen = b"".join(judge.captures[victim.id].drain())
            assert not any(token in seen for token in bad)


def test_a_peer_reaches_its_organization_through_the_kernels_gateway_and_no_other(lab):
    laptop = lab.laptop
    for node in lab.nodes:
        there = lab.instance("acme", "web", node)
        reaches(laptop, there.address, f"laptop -> {node}")
        reaches(there, laptop.address, f"{node} -> laptop")
    assert laptop.dig("web.internal", "AAAA")
    foreign, near = lab.instance("globex", "web", "ord-1"), lab.instance("acme", "web", "ord-1")
    with Judge(lab) as judge:
        judge.listen(near)
        judge.listen(foreign)
        before = lab.drops("ord-1").get("destination_network", 0)
        bad = [judge.send(laptop, source, foreign.address, "udp") for source in
               (laptop.address, foreign.address[:-1] + "9", near.address, packet.swap(laptop.address))]
        bad_here = [judge.send(laptop, source, near.address, "udp") for source in (foreign.address, near.address[:-1] + "9", "2001:db8::7")]
        assert judge.arrives(laptop, near, 10)
        assert not any(token in b"".join(judge.captures[foreign.id].drain()) for token in bad)
        assert not any(token in b"".join(judge.captures[near.id].drain()) for token in bad_here)
        # forged sources already stop at WireGuard's own table; its own address is for our program, which says why it drops
        wait_until(lambda: lab.drops("ord-1").get("destination_network", 0) > before, PATIENCE, "a drop of the peer's own address")


def test_a_restarted_daemon_keeps_its_kernel_devices_and_loses_nothing(lab):
    here, there = lab.instance("acme", "web", "nrt-1"), lab.instance("acme", "web", "ord-1")
    before = {device: index(lab, "ord-1", device) for device in (MESH, PEERS)}
    reaches(here, there.address, "the mesh before the restarts")
    reaches(lab.laptop, there.address, "the laptop before the restarts")
    floods = {what: place.popen(FLOOD, there.address, "50", "300", stdout=-1, text=True)
              for what, place in (("through the mesh", here), ("through the gateway", lab.laptop))}
    lab.restart_node("ord-1", signal.SIGKILL)
    lab.restart_node("ord-1")
    for cell in (lab.nodes["nrt-1"], lab.laptop.cell):
        assert cell.signal("flood", signal.SIGTERM)
    for what, flood in floods.items():
        result = json.loads(flood.communicate(timeout=120)[0])
        print(f"      {what}: {result['sent']} pings, {result['lost']} lost, the slowest took {result['longest_ms']} ms", flush=True)
        assert result["sent"] >= 300 and result["lost"] == 0 and result["received"] == result["sent"], result
    assert {device: index(lab, "ord-1", device) for device in (MESH, PEERS)} == before


def repaired(lab, node, work, healed):
    work()
    wait_until(healed, PATIENCE, "repaired")


def test_what_somebody_does_to_a_kernel_device_is_put_right(lab):
    node = lab.nodes["ord-1"]
    here, there = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    mesh_keys = sorted(node.out("wg", "show", MESH, "peers").split())
    own = node.out("wg", "show", MESH, "public-key")
    for device, key in ((MESH, mesh_keys[0]), (PEERS, lab.laptop.public)):
        repaired(lab, "ord-1", lambda: node.out("wg", "set", device, "peer", key, "remove"),
                 lambda: key in node.out("wg", "show", device, "peers").split())
    repaired(lab, "ord-1", lambda: node.out("sh", "-c", f"wg genkey > /run/k && wg set {MESH} private-key /run/k"),
             lambda: node.out("wg", "show", MESH, "public-key") == own)
    was = index(lab, "ord-1", MESH)
    repaired(lab, "ord-1", lambda: node.out("ip", "link", "del", MESH),
             lambda: node.run("ip", "link", "show", MESH).returncode == 0 and index(lab, "ord-1", MESH) != was and
             sorted(node.out("wg", "show", MESH, "peers").split()) == mesh_keys)
    repaired(lab, "ord-1", lambda: node.out("ip", "link", "del", PEERS),
             lambda: node.run("ip", "link", "show", PEERS).returncode == 0 and
             lab.laptop.public in node.out("wg", "show", PEERS, "peers").split())
    reaches(here, there.address, "the mesh after all that")
    reaches(there, here.address, "the mesh after all that, from the other side")
    reaches(lab.laptop, there.address, "the laptop after all that")


def change(lab, node, backend):
    lab.stop_node(node)
    lab.backends = {**lab.backends, node: backend}
    lab.start_node(node)
    wait_until(lambda: lab.answers(node) and lab.node_status(node)["sync"]["synced"], PATIENCE, f"{node} on {backend}")


def test_the_backend_changes_when_it_is_told_to_and_not_by_itself(lab):
    here, there = lab.instance("acme", "web", "nrt-1"), lab.instance("acme", "web", "dev-1")
    change(lab, "dev-1", "auto")  # wireguard-go is at work: it stays
    assert kind(lab, "dev-1", MESH) == "tun"
    change(lab, "dev-1", "kernel")
    assert kind(lab, "dev-1", MESH) == "wireguard" and not lab.nodes["dev-1"].pids_of("wireguard-go")
    reaches(here, there.address, "dev-1 on the kernel")
    reaches(there, here.address, "from dev-1 on the kernel")
    change(lab, "dev-1", "userspace")
    assert kind(lab, "dev-1", MESH) == "tun" and lab.nodes["dev-1"].pids_of("wireguard-go")
    reaches(here, there.address, "dev-1 back on wireguard-go")
    log = (lab.logs / "dev-1-node.log").read_text()
    assert "the device of the other backend is removed" in log and "as it is at work" in log


def test_a_kernel_device_goes_with_the_role(lab):
    """The last one: ord-1 is a host only from then on."""
    node, near = lab.nodes["ord-1"], lab.instance("acme", "web", "ord-1")
    lab.stop_node("ord-1")
    lab.start_node("ord-1", "--roles", "host")
    wait_until(lambda: lab.answers("ord-1") and lab.node_status("ord-1")["sync"]["synced"], PATIENCE, "ord-1 is back")
    assert node.run("ip", "link", "show", PEERS).returncode and node.run("ip", "link", "show", MESH).returncode == 0
    assert not pings(lab.laptop, near.address)


def run():
    failed, lab, began = [], None, time.monotonic()
    try:
        for verb in ("add", "del"):  # the request brings the module; two nodes at once would not wait for each other's modprobe (see init)
            subprocess.run(["ip", "link", verb, "first", *(["type", "wireguard"] if verb == "add" else [])], check=True)
        lab = Mixed(NODES, gateways={"ord-1": "host,gateway"})
        lab.up()
        prepare(lab)
        print(f"cluster of {len(NODES)} nodes in {time.monotonic() - began:.1f} s", flush=True)
        for name, test in list(globals().items()):
            if not name.startswith("test_"):
                continue
            started = time.monotonic()
            try:
                test(lab)
                word = "ok"
            except Exception:
                word = "FAILED"
                failed.append(name)
                traceback.print_exc(file=sys.stdout)
            print(f"   {name[5:].replace('_', ' ')}: {word} ({time.monotonic() - started:.1f} s)", flush=True)
    except Exception:
        failed.append("cluster")
        traceback.print_exc(file=sys.stdout)
    if lab and failed:
        for log in sorted(lab.logs.glob("*.log")):
            tail = log.read_text(errors="replace").splitlines()[-25:]
            print("\n".join([f"---- {log.name}", *tail]), flush=True)
    if lab:
        lab.stop()
    return failed
