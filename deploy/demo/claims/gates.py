"""Taking programs and gates away behind the daemon's back, and putting them back."""
from fixture.cluster import Instance

from .common import APP


def pins(cell, device):
    index = cell.out("cat", f"/sys/class/net/{device}/ifindex")
    return [p for p in cell.out("ls", "/sys/fs/bpf/sixpn").split() if p.startswith(f"link_{index}_")]


def detach(cluster, *instances):
    """Takes the programs off the devices of instances, behind the daemon's back."""
    for instance in instances:
        for pin in pins(instance.cell, instance.device):
            instance.cell.out("bpftool", "link", "detach", "pinned", f"/sys/fs/bpf/sixpn/{pin}")
            instance.cell.out("rm", f"/sys/fs/bpf/sixpn/{pin}")


def reattach(cluster, *hosts):
    for host in sorted(set(hosts)):
        cluster.restart_node(host)


def same_host_pair(cluster):
    """An acme and a globex instance on one machine, and a friend of the acme one elsewhere. Always the same globex instance: what is
    sabotaged must be what the claims attack from."""
    for evil in cluster.instances("globex", APP):
        for good in cluster.instances("acme"):
            if good["host"] == evil["host"]:
                friend = next(i for i in cluster.instances("acme") if i["host"] != good["host"])
                return Instance(cluster, evil), Instance(cluster, good), Instance(cluster, friend)
    raise LookupError("no host has both orgs")


def open_gates(cell):
    """Everything of the second gate away: chain flushed, unreachable deleted, all packets sent to table 6000."""
    cell.out("nft", "flush", "chain", "inet", "sixpn", "arrival")
    for table in ("main", "6000"):
        cell.out("ip", "-6", "route", "del", "unreachable", "fdaa::/16", "metric", "24576", "table", table)
    cell.out("ip", "-6", "rule", "del", "priority", "100", "fwmark", "0x6b/0xff", "lookup", "6000")
    cell.out("ip", "-6", "rule", "add", "priority", "100", "lookup", "6000")


def close_gates(cluster, host):
    cluster.nodes[host].run("ip", "-6", "rule", "del", "priority", "100", "lookup", "6000")
    cluster.restart_node(host)
