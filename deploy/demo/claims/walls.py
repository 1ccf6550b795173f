"""Isolation: what of one organization, or of a customer, reaches where it may not. Judged by captures at the receivers."""
import time

from fixture import packet
from fixture.cluster import LINK_PORT, Instance
from fixture.judge import Judge

from .common import APP, KINDS, Wrong, expect, notes
from .gates import close_gates, detach, open_gates, reattach, same_host_pair


def sources(cluster, attacker, victim):
    """True and forged sources of an attacker against a victim."""
    friend = next(i for i in cluster.instances("acme") if i["address"] != victim.address)
    return [attacker.address, friend["address"], victim.address, "fdaa::3", "fe80::2", packet.swap(attacker.address)]


def nothing_crosses(cluster, judge, attacker, victims, forms=(lambda a: a, packet.swap)):
    """All kinds, sources and forms at every victim, then a control from a friend of each victim."""
    sent = []
    for victim in victims:
        judge.listen(victim)
    for victim in victims:
        for kind in KINDS:
            for source in sources(cluster, attacker, victim):
                for form in forms:
                    sent.append((judge.send(attacker, source, form(victim.address), kind), victim, kind, source))
    blind = []
    for victim in victims:
        friend = next(Instance(cluster, i) for i in cluster.instances("acme") if i["address"] != victim.address)
        if not judge.arrives(friend, victim):
            blind.append(f"the control from {friend.name} does not reach {victim.name}: the capture proves nothing")
    time.sleep(0.1)  # what is still under way
    for token, victim, kind, source in sent:
        for capture in judge.captures.values():
            if capture.holds(token):
                raise Wrong(f"{kind} from {attacker.name} as {source} reached {victim.name}")
    if blind:
        raise Wrong("; ".join(blind))
    return len(sent)


def isolation(cluster):
    with Judge(cluster) as judge:
        victims = [Instance(cluster, i) for i in cluster.instances("acme")]
        before = cluster.drops(attacker_host(cluster))
        n = sum(nothing_crosses(cluster, judge, cluster.instance("globex", app), victims) for app in (APP, "widget-shop"))
        after = cluster.drops(attacker_host(cluster))
    counted = {k: after[k] - before[k] for k in after if after[k] != before[k]}
    for reason in ("destination_network", "source_foreign"):
        if not counted.get(reason):
            raise Wrong(f"no drop was counted as {reason}: {counted}")
    notes.append(f"{n} packets sent, 0 arrived; counted on the attacker's host: "
                 + ", ".join(f"{k} {v}" for k, v in sorted(counted.items())))


def attacker_host(cluster):
    return cluster.instances("globex", APP)[0]["host"]


def infrastructure(cluster):
    """Neither host nor controller: their own captures see nothing of an instance but the name service."""
    attacker = cluster.instance("globex", APP)
    host = cluster.nodes[attacker.host]
    targets = [f"fd80:6:6::{number}" for number in (1, 11)] + ["fdaa::3", "fe80::1"]
    gate = cluster.node_status(attacker.host)["bpf"]
    with Judge(cluster) as judge:
        # a local capture sits in front of the gates, so what counts is what sockets and other devices see
        before = listeners_heard(host)
        at_controller = packet.Capture(cluster.controller, "eth0")
        judge.captures["controller"] = at_controller
        tokens = [judge.send(attacker, attacker.address, target, kind, port)
                  for target in targets for kind in KINDS for port in (22, 9999) if not (target == "fdaa::3" and kind == "icmp")]
        friend = cluster.instance("acme", "my-frontend")
        if not judge.arrives(cluster.instance("acme", "my-worker"), friend):
            raise Wrong("the control does not pass")
        for token in tokens:
            if at_controller.holds(token):
                raise Wrong("a packet of an instance reached the controller's machine")
        expect(listeners_heard(host) - before, 0, "packets of an instance that reached the host's own sockets")
    done = attacker.run("ping", "-6", "-c1", "-W1", "-n", "-I", attacker.address, "fd80:6:6::11")
    expect(done.returncode != 0, True, "ping of the host's underlay address fails")
    done = attacker.run("curl", "-s", "--max-time", "1", f"http://[fd80:6:6::1]:{LINK_PORT}/")
    expect(done.returncode != 0, True, "TCP to the controller fails")
    now = cluster.node_status(attacker.host)["bpf"]
    if sum(now["drops"].values()) <= sum(gate["drops"].values()):
        raise Wrong("no drop was counted")


def listeners_heard(host):
    """UDP datagrams for which the host had no listener, plus ICMPv6 echo requests it got: its own counters."""
    text = host.out("cat", "/proc/net/snmp6")
    values = dict(line.split()[:2] for line in text.splitlines())
    return int(values["Udp6NoPorts"]) + int(values["Icmp6InEchos"])


def gate_alone(cluster):
    """Programs off: the second gate lets nothing through, the control neither, not even to the resolver."""
    evil, good, friend = same_host_pair(cluster)
    with Judge(cluster) as judge:
        if not judge.arrives(friend, good):
            raise Wrong("the control does not pass before anything is detached")
        heard = good.dig("my-database.internal", "AAAA")
        before = cluster.node_status(good.host)["bpf"]["unmarked_drops"]
        detach(cluster, evil, good)
        try:
            judge.listen(friend)
            judge.listen(evil)
            sent = [judge.send(evil, evil.address, good.address, "udp"), judge.send(good, good.address, friend.address, "udp"),
                    judge.send(good, good.address, evil.address, "icmp"), judge.send(evil, good.address, friend.address, "udp")]
            query = good.run("dig", "+time=1", "+tries=1", "@fdaa::3", "my-database.internal", "AAAA").returncode
            ping = good.run("ping", "-6", "-c1", "-W1", "-n", "fdaa::3").returncode
            for token in sent:
                if any(c.holds(token) for c in judge.captures.values()):
                    raise Wrong("a packet passed although its device had no program")
            if query == 0 or ping == 0:
                raise Wrong("fdaa::3 answered a device without a program")
            after = cluster.node_status(good.host)["bpf"]["unmarked_drops"]
        finally:
            reattach(cluster, good.host)
        if after <= before:
            raise Wrong("the arrival gate counted nothing")
        if not heard or not judge.arrives(friend, good, 5):
            raise Wrong("the control does not pass after the programs are back")
    notes.append(f"the arrival gate dropped and counted {after - before} packets")


def programs_alone(cluster):
    """Second gate away: BPF drops and counts the forged packet, the control passes."""
    evil, good, friend = same_host_pair(cluster)
    with Judge(cluster) as judge:
        open_gates(good.cell)
        try:
            before = cluster.drops(good.host)
            judge.listen(good)
            sent = [judge.send(evil, source, good.address, kind) for kind in KINDS for source in (evil.address, friend.address)]
            sent += [judge.send(evil, evil.address, packet.swap(good.address), "udp")]
            if not judge.arrives(friend, good, 5):
                raise Wrong("the control does not pass")
            time.sleep(0.05)
            if any(judge.captures[good.id].holds(token) for token in sent):
                raise Wrong("a packet of another organization arrived")
            after = cluster.drops(good.host)
        finally:
            close_gates(cluster, good.host)
    counted = {k: after[k] - before[k] for k in after if after[k] > before[k]}
    if sum(counted.get(k, 0) for k in ("destination_network", "source_foreign")) < len(sent):
        raise Wrong(f"{len(sent)} forged packets, counted: {counted}")
    notes.append("dropped and counted by BPF: " + ", ".join(f"{k} {v}" for k, v in sorted(counted.items())))
