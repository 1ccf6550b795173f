"""What breaks the claims about people and their tunnels. As in sabotage.py: each breaks one thing and returns what mends it."""
from fixture.cluster import CONTROLLER_ADDRESS, LINK_PORT
from fixture.customer import CAFE, CAFE6

from .gates import close_gates, detach, open_gates, pins
from .sabotage import loop_in


def no_resolvconf(cluster):
    """openresolv is taken off the laptop while its tunnel is down: what it had done for that is undone."""
    place = cluster.people["laptop"]
    place.wg_quick("down", "laptop.conf")
    place.out("mount", "--bind", "/dev/null", "/usr/sbin/resolvconf")

    def mend():
        place.out("umount", "/usr/sbin/resolvconf")
        place.run("ip", "link", "del", "laptop")
        place.run("resolvconf", "-d", "laptop", "-f")
        place.wg_quick("up", "laptop.conf")
    return mend


def dns_line(cluster):
    """The file of the machine without resolvconf has the line that others write."""
    place = cluster.people["vps"]
    before = place.file("vps.conf")
    place.write("vps.conf", before.replace("[Interface]\n", f"[Interface]\nDNS = {place.peer['dns']}\n", 1))

    def mend():
        place.write("vps.conf", before)
        place.run("ip", "link", "del", "vps")
        place.wg_quick("up", "vps.conf")
    return mend


def no_third(cluster):
    """acme's ::3 is gone at gw-ord."""
    cell, address = cluster.nodes["gw-ord"], cluster.people["laptop"].peer["dns"]
    route = cell.out("ip", "-6", "route", "show", "table", "local", address)
    if not route:
        raise LookupError(f"gw-ord has no local route of {address}")
    cell.out("sh", "-c", f"ip -6 route del {route} table local")
    return lambda: cluster.restart_node("gw-ord")


def unmeshed_gateway(cluster):
    """The database's host is taken out of the mesh of gw-ord."""
    cell, base = cluster.nodes["gw-ord"], cluster.instance("acme", "my-database")
    prefix = f"fdaa:{cluster.node_status(base.host)['host']}::/48"
    lines = cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines()
    key = next(line.split("\t")[0] for line in lines if prefix in line)
    cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", "")
    return lambda: cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", prefix)


def peer_forgotten(cluster):
    """WireGuard of gw-ord has lost the laptop."""
    cluster.nodes["gw-ord"].out("wg", "set", "sixpn-peers", "peer", cluster.people["laptop"].peer["public_key"], "remove")
    return lambda: cluster.restart_node("gw-ord")


def moved_address_unroutable(cluster):
    """nrt-1's mesh loses the address of every peer that has moved to dev-1, as soon as it has it."""
    cell, there = cluster.instance("acme", "my-frontend").cell, f"fdaa:{cluster.node_status('dev-1')['host']}::/48"
    lines = cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines()
    key = next(line.split("\t")[0] for line in lines if there in line)
    return loop_in(cell, f"while sleep 0.05; do wg show sixpn-mesh allowed-ips | grep -q /120 && wg set sixpn-mesh peer {key} allowed-ips {there}; done")


def strict_org(cluster):
    """acme wants errors instead of other regions."""
    cluster.sixpn("org", "update", "acme", "--strict-region", say=False)
    return lambda: cluster.sixpn("org", "update", "acme", "--no-strict-region", say=False)


def gateway_gates_away(cluster):
    """No program on the peers' device of globex's gateway nor on the instance of acme on that machine, and the second gate is open."""
    host = cluster.people["rival"].peer["gateway"]
    cell = cluster.nodes[host]
    open_gates(cell)
    for pin in pins(cell, "sixpn-peers"):
        cell.out("bpftool", "link", "detach", "pinned", f"/sys/fs/bpf/sixpn/{pin}")
        cell.out("rm", f"/sys/fs/bpf/sixpn/{pin}")
    detach(cluster, cluster.instance("acme", "my-worker", host))
    return lambda: close_gates(cluster, host)


def cafe_is_shut(cluster):
    """The other network lets nothing out."""
    under = cluster.cells["underlay"]
    under.out("nft", f"add table bridge sabotage; add chain bridge sabotage out {{ type filter hook forward priority 0; }}; "
                     f"add rule bridge sabotage out ip saddr {CAFE} drop; add rule bridge sabotage out ip6 saddr {CAFE6}/64 drop")
    return lambda: under.out("nft", "delete", "table", "bridge", "sabotage")


def health_check_of_peers(cluster):
    """Somebody's health check takes the peers of gw-ord away while the controller does not answer."""
    end = loop_in(cluster.nodes["gw-ord"], f"while sleep 0.1; do nc -z -w1 {CONTROLLER_ADDRESS} {LINK_PORT} || "
                                           f"for k in $(wg show sixpn-peers peers); do wg set sixpn-peers peer $k remove; done; done")

    def mend():
        end()
        cluster.restart_node("gw-ord")
    return mend


def keys_put_back(cluster):
    """Somebody's watchdog at gw-ord puts back every key that WireGuard ever had there."""
    cell = cluster.nodes["gw-ord"]
    end = loop_in(cell, "while sleep 0.05; do wg show sixpn-peers allowed-ips | grep -v none >> /run/ever; for k in $(cut -f1 /run/ever | sort -u); do "
                        "wg show sixpn-peers peers | grep -qxF $k || wg set sixpn-peers peer $k allowed-ips $(grep -F $k /run/ever | tail -n1 | cut -f2); "
                        "done; done")

    def mend():
        end()
        cell.out("rm", "-f", "/run/ever")
        cluster.restart_node("gw-ord")
    return mend


def office_flushed(cluster):
    """Somebody flushes the firewall of the office's machine."""
    place = cluster.people["office"]
    place.out("nft", "flush", "ruleset")
    return lambda: place.here("nft", "-f", "office.nft", check=True)
