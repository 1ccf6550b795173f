"""Without a controller: it is killed, its database is moved away, and the machines are on their own; then it comes back. One outage
serves all claims of a pass: the first that is asked plays it, the others read what came of their part (fresh() forgets it all)."""
import os
import signal
import time

from fixture.cell import BIN
from fixture.cluster import Instance, wait_until
from scene import ECHO_PORT, WEB_PORT, page

from .common import APP, Wrong, expect, joined, notes
from .peers import again

STORE, AWAY = "/var/lib/sixpn/controller", "/var/lib/sixpn/away"
WINDOW = 64  # changes that the demo's controller keeps for nodes that are behind
ORG = "umbrella"  # a customer for what dies here
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "restart": "always", "drain_ms": 0}
QUESTIONS = [(APP, "AAAA"), (APP, "TXT"), (f"global.{APP}", "AAAA"), (f"vms.{APP}", "TXT"), (f"regions.{APP}", "TXT"), ("_apps", "TXT"),
             ("_instances", "TXT")]
parts = {}  # name -> (error or None, notes, transcript)


def fresh():
    """What was seen before counts no more."""
    parts.clear()


class Part:
    """One part of the outage: its error is kept for its claim and stops no other part."""

    def __init__(self, name):
        self.name, self.notes, self.lines = name, [], []

    def __enter__(self):
        return self

    def tell(self, command, output=""):
        self.lines.append((command, output))

    def __exit__(self, kind, error, _):
        parts[self.name] = (error, self.notes, self.lines)
        return isinstance(error, Exception)


def part(name):
    """The check of one claim."""
    def check(cluster):
        if name not in parts:
            fresh()
            outage(cluster)
        error, said, lines = parts.pop(name)
        for line in lines:
            cluster.tell(*line)
        notes.extend(said)
        if error:
            raise error
    return check


# ---- the stage

def fragile(cluster):
    """An app to be killed and one that watches it, on one machine; made once per cluster."""
    if not any(o["name"] == ORG for o in cluster.json("org", "list")["items"]):
        tell, cluster.tell = cluster.tell, lambda *_: None
        for app in ("fragile", "watcher"):
            cluster.deploy(ORG, app, ["nrt"], SLEEPER)
        cluster.settle()
        cluster.tell = tell
    return cluster.instance(ORG, "fragile"), cluster.instance(ORG, "watcher")


def counters(cluster, key):
    return {name: cluster.node_status(name)["sync"][key] for name in cluster.nodes}


def take_away(cluster):
    cluster.controller.signal("sixpn-controller", signal.SIGKILL)
    cluster.controller.daemons["controller"].wait()
    cluster.controller.out("mv", STORE, AWAY)


def bring_back(cluster):
    cluster.controller.out("mv", AWAY, STORE)
    cluster.start_controller()


def outage(cluster):
    everybody = [Instance(cluster, r) for r in cluster.instances("acme") + cluster.instances("globex")]
    stage = fragile(cluster)
    snapshots = counters(cluster, "snapshots")
    take_away(cluster)
    try:
        with Part("names") as p:
            p.tell(f"kill -9 $(pidof sixpn-controller); mv {STORE} {AWAY}          # on the controller")
            names_and_traffic(p, everybody)
        with Part("peers") as p:
            peers(p, cluster)
        with Part("restart") as p:
            restarted_daemon(p, cluster, [i for i in everybody if i.host == "nrt-1"])
        with Part("crash") as p:
            crash(p, *stage)
    finally:
        bring_back(cluster)
    with Part("cursor") as p:
        p.tell(f"mv {AWAY} {STORE}; sixpn-controller          # on the controller")
        back_without_snapshot(p, cluster, snapshots)
    with Part("window") as p:
        behind_the_window(p, cluster)
    if not parts["crash"][0]:
        with Part("crash") as again:
            again.notes, again.lines = parts["crash"][1:]
            told(cluster, stage[0])


# ---- the parts

def of_one_network(everybody, place):
    return [i for i in everybody if i.record["org"] == place.record["org"]]


def names_and_traffic(p, everybody):
    for place in everybody:
        want = sorted(i.address for i in of_one_network(everybody, place) if i.record["app"] == APP)
        expect(sorted(place.dig(f"{APP}.internal", "AAAA")), want, f"{APP}.internal at {place.host} for {place.record['org']}")
        for other in of_one_network(everybody, place):
            if other is not place and echo(place, other) != "alive":
                raise Wrong(f"{other.name} does not echo what {place.name} sends")
    front = next(i for i in everybody if i.record["app"] == "my-frontend")
    command = ["curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt"]
    got = front.run(*command)
    p.tell(" ".join(command) + "          # in acme/my-frontend", got.stdout)
    expect((got.returncode, got.stdout), (0, page("acme", "my-database")), "the page")
    wait_until(lambda: "controller=down" in age(front), 5, "_sync.internal says that the controller is down")
    first, second = milliseconds(age(front)), milliseconds(age(front))
    if second <= first:
        raise Wrong(f"the age in _sync.internal does not grow: {first} ms, then {second} ms")
    p.tell("dig +short _sync.internal TXT          # in acme/my-frontend", age(front))
    p.notes.append(f"asked at {len(everybody)} instances on {len({i.host for i in everybody})} machines, each reached all of its network")


def echo(place, other):
    return place.run("sh", "-c", f"echo alive | timeout 2 socat -t1 - 'TCP6:[{other.address}]:{ECHO_PORT}'").stdout.strip()


def age(place):
    return joined(place.dig("_sync.internal", "TXT"))


def milliseconds(text):
    return int(dict(pair.split("=") for pair in text.split(","))["age_ms"])


def everything(place):
    """All that a name server says to one instance, of every kind of name there is: asked at once, for the order of addresses is
    drawn anew each time."""
    answers = place.dig(*[word for name, kind in QUESTIONS for word in (f"{name}.internal", kind)], "-x", place.address)
    return sorted(answers), place.rcode("never-was.internal", "AAAA")


def peers(p, cluster):
    place = cluster.people["laptop"]
    command = ["curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt"]
    for step in ("with the tunnel that was up", "with one that came up meanwhile"):
        got = place.run(*command)
        p.tell(" ".join(command) + f"          # on laptop, {step}", got.stdout)
        expect((got.returncode, got.stdout), (0, page("acme", "my-database")), f"the page {step}")
        if step.startswith("with the"):
            again(place, "laptop")
            p.tell("wg-quick down ./laptop.conf; wg-quick up ./laptop.conf          # on laptop")


def restarted_daemon(p, cluster, places):
    before = [everything(place) for place in places]
    if any(len(answers) < len(QUESTIONS) for answers, _ in before):
        raise Wrong("a name server has no answer even before the restart")
    cluster.stop_node("nrt-1", signal.SIGKILL)
    cluster.start_node("nrt-1")
    p.tell("kill -9 $(pidof sixpn-node); sixpn-node          # on nrt-1, whose controller is away")
    wait_until(lambda: cluster.answers("nrt-1"), 10, "the daemon of nrt-1 is up")
    for place, want in zip(places, before):
        (answers, denied), (wanted, as_denied) = everything(place), want
        missing = [a for a in wanted if a not in answers] + [a for a in answers if a not in wanted]
        expect((missing, denied), ([], as_denied), f"what {place.name} is told otherwise after the restart")
    p.notes.append(f"{(len(QUESTIONS) + 2) * len(places)} questions of {len(places)} instances: the same answers, from the file of nrt-1")


def crash(p, victim, watcher):
    name = f"{victim.record['app']}.internal"
    expect(watcher.dig(name, "AAAA"), [victim.address], f"{name} before")
    inner = int(victim.cell.path(f"/run/sixpn/instances/{victim.id}/command").read_text())
    started = time.monotonic()
    os.kill(victim.cell.pid_from_inside(inner), signal.SIGKILL)
    p.tell(f"kill -9 {inner}; dig +short {name} AAAA          # the command of {ORG}/fragile; asked in {ORG}/watcher on its machine")
    wait_until(lambda: watcher.dig(name, "AAAA") == [], 3, f"{name} is withdrawn on its own host")
    gone = time.monotonic()
    wait_until(lambda: watcher.dig(name, "AAAA") == [victim.address], 5, f"{name} is back on its own host")
    p.notes.append(f"out of its host's names after {(gone - started) * 1000:.0f} ms, started again and back after "
                   f"{(time.monotonic() - started) * 1000:.0f} ms: its back-off, and a second for machines that cannot be asked")


def told(cluster, victim):
    """What happened meanwhile is reported once there is somebody to report to."""
    def observed():
        return next(i["observed"] for i in cluster.instances(ORG, "fragile") if i["id"] == victim.id)
    wait_until(lambda: observed()["state"] == "started" and observed()["restarts"] > victim.record["observed"]["restarts"], 10,
               "the restart is reported")


def back_without_snapshot(p, cluster, before):
    change(cluster, 3)  # most nodes are not back yet: their cursors have something to be served
    converge(cluster)
    after = counters(cluster, "snapshots")
    p.notes.append("snapshots taken on the return: " + ", ".join(f"{n} {after[n] - started_at(n, before)}" for n in after))
    expect(after, {n: started_at(n, before) for n in after}, "snapshots")


def converge(cluster):
    head = cluster.json("status")["v"]
    wait_until(cluster.ready, 30, "all ready again")
    wait_until(lambda: all(cluster.node_status(n)["v"] >= head for n in cluster.nodes), 20, "all hold the newest change")


def started_at(name, before):
    return 0 if name == "nrt-1" else before[name]  # its daemon was started during the outage and counts from nothing


def change(cluster, times):
    """So many changes that every machine is told of."""
    city = cluster.json("region", "show", "dev")["city"]
    cluster.controller.out("sh", "-c", f"for i in $(seq {times}); do HOME=/run SIXPN_SOCKET=/run/sixpn/controller.sock {BIN / 'sixpn'} "
                                       f"region update dev --city '{city}' --no-wait || exit 1; done", timeout=60)


def behind_the_window(p, cluster):
    before = counters(cluster, "snapshots")
    cluster.nodes["dev-1"].signal("sixpn-node", signal.SIGSTOP)
    try:
        change(cluster, WINDOW + 6)
    finally:
        cluster.nodes["dev-1"].signal("sixpn-node", signal.SIGCONT)
    converge(cluster)
    after = counters(cluster, "snapshots")
    p.tell(f"kill -STOP, {WINDOW + 6} changes, kill -CONT          # the daemon of dev-1; the controller keeps {WINDOW} changes")
    p.notes.append("snapshots: " + ", ".join(f"{n} {after[n] - before[n]}" for n in after))
    expect({n: after[n] - before[n] for n in after}, {n: int(n == "dev-1") for n in after}, "snapshots")
