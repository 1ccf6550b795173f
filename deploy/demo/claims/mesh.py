"""The mesh: one prefix per node, the two forms of an address, and what the underlay gets to see."""
import ipaddress
import time

from fixture import packet
from fixture.cluster import LINK_PORT, MESH_PORT, OUTSIDE_ADDRESS, wait_until
from fixture.judge import Judge
from scene import WEB_PORT

from .common import Wrong, expect, notes


def allowed_ips(cluster):
    return {name: sorted(line.split("\t")[1] for line in cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines())
            for name, cell in cluster.nodes.items()}


def one_prefix_per_node(cluster):
    hosts = {n["name"]: f"{n['host'][:4]}:{int(n['host'][4:], 16):x}" for n in cluster.json("node", "list")["items"]}
    want = {name: sorted(f"fdaa:{h}::/48" for other, h in hosts.items() if other != name) for name in hosts}
    expect(allowed_ips(cluster), want, "allowed IPs")
    fifty_networks(cluster)
    expect(allowed_ips(cluster), want, "allowed IPs after fifty more networks")
    cluster.tell("wg show sixpn-mesh allowed-ips          # on ord-1, after fifty more networks",
                 cluster.nodes["ord-1"].out("wg", "show", "sixpn-mesh", "allowed-ips"))


def fifty_networks(cluster):
    """A third org with fifty networks, made once per cluster."""
    if any(o["name"] == "initech" for o in cluster.json("org", "list")["items"]):
        return
    cluster.sixpn("org", "create", "initech", say=False)
    cluster.sixpn("org", "update", "initech", "--limit", "networks=60", say=False)
    for n in range(50):
        cluster.sixpn("network", "create", f"net-{n}", "--org", "initech", "--no-wait", say=False)


def mesh_form(cluster):
    sender, receiver = cluster.instance("acme", "my-frontend"), cluster.instance("acme", "my-database")
    inside = packet.Capture(receiver, "6pn0")
    with Judge(cluster) as judge:
        judge.captures[receiver.id] = inside
        if not judge.arrives(sender, receiver, 5):
            raise Wrong("the control does not pass")
        token = judge.send(sender, sender.address, receiver.address, "udp")
        if not inside.wait_for(token, 2):
            raise Wrong("the packet did not arrive")
        arrived = [p for p in inside.drain() if token in p]
    swapped = (packet.raw(packet.swap(sender.address)), packet.raw(packet.swap(receiver.address)))
    natural = (packet.raw(sender.address), packet.raw(receiver.address))
    for p in inside.packets:  # whatever else came in: never a host word where the network belongs
        if p[0] >> 4 == 6 and 0xA in (p[10] >> 4 if p[8:10] == b"\xfd\xaa" else 0, p[26] >> 4 if p[24:26] == b"\xfd\xaa" else 0):
            raise Wrong("an instance was given a packet in mesh form")
    expect({(p[8:24], p[24:40]) for p in at_receiving_mesh(cluster, sender, receiver)}, {swapped}, "addresses in the mesh")
    expect({(p[8:24], p[24:40]) for p in arrived}, {natural}, "addresses at the instance")


def at_receiving_mesh(cluster, sender, receiver):
    """What comes out of the tunnel, before our program turns it back: a capture on the receiving side of the mesh device."""
    capture = packet.Capture(receiver.cell, "sixpn-mesh")
    with Judge(cluster) as judge:
        judge.captures["mesh"] = capture
        token = judge.send(sender, sender.address, receiver.address, "udp")
        if not capture.wait_for(token, 2):
            raise Wrong("nothing came through the tunnel")
        return [p for p in capture.drain() if token in p]


def underlay(cluster):
    under = cluster.cells["underlay"]
    capture = packet.Capture(under, "to-nrt-1")
    controller = packet.Capture(under, "to-controller")
    place = cluster.instance("acme", "my-frontend")
    try:
        for _ in range(3):
            place.run("curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt")
        names_on_the_link(cluster)
        cluster.restart_node("nrt-1")  # a handshake and a first poll are listened to as well
        seen = [what_is(p) for p in capture.drain() + controller.drain()]
        strange = sorted({s for s in seen if s not in ("mesh", "link", "outside", "neighbours")})
        expect(strange[:5], [], "packets on the underlay that are neither UDP 51821 nor the link")
        if "mesh" not in seen or "link" not in seen:
            raise Wrong("the captures hold no mesh or no link packets")
        # three letters turn up by chance in ciphertext; on the wire a name has its length before it
        for name in ("acme", "globex", "fearsome", "my-database", "my-worker", "default", "\x03ord", "\x03nrt", "\x03dev"):
            if any(name.encode() in p for p in capture.packets + controller.packets):
                raise Wrong(f"{name!r} is readable on the underlay")
    finally:
        capture.close()
        controller.close()
    notes.append(f"{seen.count('mesh')} mesh and {seen.count('link')} link packets seen")


def names_on_the_link(cluster):
    """Records that hold the names of a region and an app are sent to every machine that may see them: waits until nrt-1 has them."""
    city = cluster.json("region", "show", "nrt")["city"]
    cluster.sixpn("region", "update", "nrt", "--city", city, "--no-wait", say=False)
    cluster.sixpn("app", "create", "my-database-too", "--org", "acme", "--no-wait", say=False)
    cluster.sixpn("app", "delete", "acme/my-database-too", "--yes", "--no-wait", say=False)
    head = cluster.json("status")["v"]
    wait_until(lambda: cluster.node_status("nrt-1")["v"] >= head, 5, "nrt-1 has the records")


def what_is(p):
    version = p[0] >> 4
    if version == 6:
        if b"\xfd\xaa" in (p[8:10], p[24:26]):
            return "a 6PN address in the clear"
        return "neighbours" if p[6] in (58, 0) else f"IPv6 next header {p[6]}"
    if version != 4:
        return "neighbours"  # ARP
    protocol, head = p[9], (p[0] & 15) * 4
    ports = {int.from_bytes(p[head:head + 2], "big"), int.from_bytes(p[head + 2:head + 4], "big")}
    if protocol == 17 and MESH_PORT in ports:
        return "mesh"
    if protocol == 6 and LINK_PORT in ports:
        return "link"
    if 53 in ports and ipaddress.ip_address(OUTSIDE_ADDRESS).packed in (p[12:16], p[16:20]):
        return "outside"  # a machine asks its upstream name server; what it asks is the claim "outside"
    return f"IPv4 protocol {protocol} ports {sorted(ports)}"
