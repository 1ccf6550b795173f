"""The machines: all ready, nothing shared but the link; and a change that reaches all of them."""
import time

from fixture.cluster import CONTROLLER_ADDRESS, LINK_PORT, Instance, wait_until

from .common import APP, Wrong, expect, notes


def nodes_ready(cluster):
    states = {n["name"]: n["state"] for n in cluster.json("status")["nodes"]}
    expect(states, {n: "ready" for n, _ in cluster.table}, "nodes")
    for name in cluster.nodes:
        expect(cluster.node_status(name)["errors"], [], f"record errors of {name}")


def no_link_but_the_port(cluster):
    """What the machines share with the controller is the link: no other listener of theirs is open to each other."""
    place = cluster.nodes["dev-1"]
    port = place.run("nc", "-z", "-w1", CONTROLLER_ADDRESS, LINK_PORT).returncode
    api = place.run("nc", "-z", "-w1", CONTROLLER_ADDRESS, "4280").returncode
    expect((port, api != 0), (0, True), "link port open, API port closed")


def withdrawal(cluster):
    """An instance of acme in ord is stopped; every acme name server is asked until it stops giving the address."""
    target = next(i for i in cluster.instances("acme", APP) if i["region"] == "ord")
    askers = {}
    for record in cluster.instances("acme"):
        if record["id"] != target["id"]:
            askers.setdefault(record["host"], Instance(cluster, record))
    for host, asker in askers.items():
        expect(target["address"] in asker.dig(f"{APP}.internal", "AAAA"), True, f"{host} gives the address at first")
    started = time.monotonic()
    left, when = dict(askers), {}
    try:
        cluster.sixpn("instance", "stop", target["id"], say=False)
        while left:
            for host, asker in list(left.items()):
                answer = asker.run("dig", "+short", "+time=1", "+tries=1", "@fdaa::3", f"{APP}.internal", "AAAA")
                if answer.returncode == 0 and target["address"] not in answer.stdout and answer.stdout.strip():
                    when[host] = time.monotonic() - started
                    del left[host]
            if left and time.monotonic() - started > 4:
                break
        if left:
            raise Wrong(f"still giving the address after 4 s: {', '.join(sorted(left))}")
    finally:
        cluster.sixpn("instance", "start", target["id"], say=False, check=False)  # a machine may be away, which is not this claim's
        wait_until(lambda: all(target["address"] in a.dig(f"{APP}.internal", "AAAA") for h, a in askers.items() if h not in left), 15,
                   "the instance is back in DNS")
    cluster.tell(f"sixpn instance stop {target['id']}", "")
    notes.append(f"withdrawn from {len(when)} name servers, the last after {max(when.values()) * 1000:.0f} ms (asked one after the other by dig)")
