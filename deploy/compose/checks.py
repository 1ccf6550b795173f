"""checks - what is claimed of a cluster that docker-compose brought up. Names, fetches and isolation are the demo's own claims, word for
word; what is here is about containers: first try, laptop, restarts, scaling, secrets, the way down."""
import json
import os
import pathlib
import re
import signal
import time

from claims.common import APP, Row, Wrong, both, expect, ids, joined, notes
from claims.machines import nodes_ready
from claims.names import fetch, names_aaaa, names_lists, names_negative, names_txt, names_views, near_first
from claims.walls import isolation
from fixture.cluster import Instance, wait_until
from scene import WEB_PORT, page

import breaks
from cluster import GRACE, HERE, ComposeCluster

PAGE = f"http://my-database.internal:{WEB_PORT}/page.txt"
CAPABILITIES = {"NET_ADMIN", "SYS_ADMIN"}
SCALED = ("host-ord-2", "host-ord-3")
SLEEP = ("--", "/bin/sleep", "100000")


# ---- what came up

def first_try(cluster):
    """Asked once, the moment `up` came back; the answer is kept by the test."""
    argv = ("dig", "+short", "my-database.internal")
    done = cluster.exec("client", *argv)
    cluster.tell("docker-compose exec client " + " ".join(argv), done.stdout + done.stderr)
    expect(done.stdout.split(), [a for _, _, a in ids(cluster, "acme", "my-database")], "what dig says")


def all_healthy(cluster):
    states = {name: one["State"] for name, one in cluster.inspect().items()}
    for name, state in states.items():
        once = name.rsplit("_", 1)[0].endswith(("apps", "ready"))
        got = (state["Status"], state["ExitCode"]) if once else (state["Status"], state["Health"]["Status"])
        expect(got, ("exited", 0) if once else ("running", "healthy"), name)
    cluster.tell("docker-compose ps", "\n".join(f"{n}  {s['Status']}" for n, s in sorted(states.items())))
    expect(len(states), len(cluster.containers) + 2, "containers: the running ones, apps and ready")


def unprivileged(cluster):
    for name, one in cluster.inspect().items():
        host, node = one["HostConfig"], "SIXPN_ROLES=" in " ".join(one["Config"]["Env"])
        more = {c.removeprefix("CAP_") for c in host["CapAdd"] or []} - (CAPABILITIES if node else {"NET_ADMIN"})
        expect((host["Privileged"], sorted(more), host["PidMode"], host["NetworkMode"] == "host", host["IpcMode"] == "host"),
               (False, [], "", False, False), f"{name}: privileged, capabilities, namespaces of the machine")


def secrets_of(cluster):
    """Every secret that travels in a volume, and its file's mode."""
    found = {}
    for place, folder in ((cluster.controller, "/run/join"), (cluster.controller, "/run/deploy"), (cluster.controller, "/run/people"),
                          (cluster.laptop, "/var/lib/sixpn")):
        for path in place.path(folder).iterdir():
            text = path.read_text()
            if path.name.endswith(".conf"):
                text = re.search(r"PrivateKey = (\S+)", text).group(1)
            if path.name not in ("nodes", "pin"):
                found[f"{folder}/{path.name}"] = (text.strip(), path.stat().st_mode & 0o777)
    return found


def secrets(cluster):
    found = secrets_of(cluster)
    expect(len(found), 13, "secrets in files (9 join tokens, 2 deploy tokens, a token for peers, a private key)")
    logs = cluster.compose("logs", "--no-color").stdout
    seen = {"inspect": json.dumps(cluster.inspect()), "logs": logs,
            "image": cluster.engine.docker("history", "--no-trunc", "sixpn:dev").stdout}
    for name, place in cluster.containers.items():
        seen[f"arguments in {name}"] = " ".join(command for _, _, command in place.inner_pids())
        seen[f"environment in {name}"] = json.dumps(place.environment)
    for path, (secret, mode) in found.items():
        expect(oct(mode), "0o600", f"mode of {path}")
        where = [place for place, text in seen.items() if secret in text]
        expect((len(secret) > 20, where), (True, []), f"where else the secret of {path} is")
    readers = {path: [n for n, c in cluster.containers.items() if c.path(path).exists()] for path in found}
    wrong = {p: r for p, r in readers.items() if p.startswith(("/run/deploy", "/run/people")) and any(n.startswith(("host", "gateway")) for n in r)}
    expect(wrong, {}, "customers' tokens in containers of nodes")


# ---- the laptop

def laptop(cluster):
    place = cluster.laptop
    resolver = [line for line in place.out("cat", "/etc/resolv.conf").splitlines() if line.startswith("nameserver")]
    expect((len(resolver), resolver[0].split()[1].startswith("fdaa:")), (1, True), "its resolv.conf")
    for region in ("ord", "nrt"):
        expect(both(place, f"{region}.{APP}.internal", "AAAA"), sorted(a for _, r, a in ids(cluster, "acme", APP) if r == region), region)
    expect(both(place, "controller", "A") != [], True, "a name outside .internal, by the gateway's forwarder")
    for app in ("my-database", "my-frontend"):
        url = f"http://{app}.internal:{WEB_PORT}/page.txt"
        done = place.run("curl", "-s", "--max-time", "10", url)
        cluster.tell(f"docker-compose exec client curl -s {url}", done.stdout)
        expect((done.returncode, done.stdout), (0, page("acme", app)), f"the page of {app}")


def laptop_walls(cluster):
    """Nothing of the other organization: no name, no packet."""
    place = cluster.laptop
    expect(place.rcode("widget-shop.internal", "AAAA"), "NXDOMAIN", "a name of globex")
    theirs = cluster.instance("globex", "widget-shop")
    url = f"http://[{theirs.address}]:{WEB_PORT}/page.txt"
    expect(theirs.run("curl", "-s", "--max-time", "10", url).stdout, page("globex", "widget-shop"), "the page, to itself: it is served")
    place.out("ip", "-6", "route", "replace", f"{theirs.address}/128", "dev", "laptop")
    try:
        expect(place.run("curl", "-s", "--max-time", "2", url).stdout, "", "the page of globex on acme's laptop")
    finally:
        place.run("ip", "-6", "route", "del", f"{theirs.address}/128", "dev", "laptop")


# ---- without a controller

def works(cluster, ours, what):
    front = ours["my-frontend"]
    for place in ours.values():
        expect(place.dig("my-database.internal", "AAAA"), [ours["my-database"].address], f"{what}: my-database.internal at {place.host}")
    for place, who in ((front, "my-frontend"), (cluster.laptop, "the laptop")):
        expect(place.run("curl", "-s", "--max-time", "10", PAGE).stdout, page("acme", "my-database"), f"{what}: the page, to {who}")


def controller_restart(cluster):
    """While it is away and when it is back; and one stream goes through it all."""
    ours = {i["app"]: Instance(cluster, i) for i in cluster.instances("acme") if i["app"] != APP}
    words = [cluster.node_status(n)["log_id"] for n in cluster.nodes]
    stream = ours["my-frontend"].popen("ping", "-6", "-n", "-q", "-i", "0.2", ours["my-database"].address, stdout=-1, stderr=-1, text=True)
    try:
        cluster.compose("stop", "controller")
        cluster.tell("docker-compose stop controller", "")
        works(cluster, ours, "without a controller")
        cluster.compose("start", "controller")
        cluster.refresh()
        cluster.tell("docker-compose start controller", "")
        wait_until(lambda: cluster.containers["controller-1"].path("/run/sixpn/seeded").exists(), 60, "the controller is back")
        wait_until(cluster.ready, 60, "all nodes ready")
        works(cluster, ours, "with the controller back")
    finally:
        for pid in ours["my-frontend"].cell.pids_of("ping"):
            os.kill(pid, signal.SIGINT)
        said = stream.communicate(timeout=30)[0]
    expect([cluster.node_status(n)["log_id"] for n in cluster.nodes], words, "the log that nodes follow")
    sent, got = re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()
    notes.append(f"{got} of {sent} echoes came back, from nrt to ord")
    if int(got) < int(sent) - 1:  # one may be under way when ping is told to end
        raise Wrong(f"{sent} echoes sent, {got} came back")


def restarts(cluster):
    """State is in volumes: a restarted node is the same node, a restarted laptop has its address, and both work again."""
    before = {n["name"]: n["host"] for n in cluster.json("node", "list")["items"]}
    address = cluster.laptop.out("ip", "-6", "-br", "addr", "show", "laptop").split()[2]
    apps = sorted(i["address"] for i in cluster.instances("acme"))
    cluster.compose("restart", "host-nrt", "gateway-ord", "client")
    cluster.back("host-nrt-1", "gateway-ord-1")
    expect({n["name"]: n["host"] for n in cluster.json("node", "list")["items"]}, before, "names and host words of the nodes")
    expect(sorted(i["address"] for i in cluster.instances("acme")), apps, "addresses of the instances")
    wait_until(lambda: cluster.laptop.run("curl", "-s", "--max-time", "5", PAGE).stdout == page("acme", "my-database"), 60, "the laptop fetches again")
    expect(cluster.laptop.out("ip", "-6", "-br", "addr", "show", "laptop").split()[2], address, "the laptop's address")


# ---- more hosts and fewer

def workers(cluster):
    return {i["host"]: i for i in cluster.instances("acme", "my-worker") if i["region"] == "ord"}


def more_hosts(cluster):
    all_three(cluster)
    cluster.tell("docker-compose up -d --scale host-ord=3", "")
    expect({n["name"] for n in cluster.json("node", "list")["items"]}, set(cluster.nodes), "nodes: one per container, with its name")
    for _ in SCALED:
        cluster.sixpn("instance", "create", "--org", "acme", "--app", "my-worker", "--region", "ord", *SLEEP)
    cluster.settle()
    expect(sorted(workers(cluster)), sorted(SCALED), "hosts of the new instances: those without work")
    addresses = sorted(i["address"] for i in workers(cluster).values())
    expect(sorted(cluster.laptop.dig("ord.my-worker.internal", "AAAA")), addresses, "ord.my-worker.internal on the laptop")
    front = cluster.instance("acme", "my-frontend")
    for address in addresses:
        done = front.run("ping", "-6", "-n", "-c1", "-W10", address)
        expect(done.returncode, 0, f"ping from nrt to {address}")


def all_three(cluster):
    if not set(SCALED) <= set(cluster.nodes):
        cluster.up("host-ord=3")
    wait_until(cluster.ready, 60, "all nodes ready")


def leave(cluster, gone):
    """What docs say of fewer hosts: drain, delete what is there, delete the node, one replica less."""
    cluster.sixpn("node", "drain", gone)
    for record in [i for i in cluster.instances() if i["host"] == gone]:
        cluster.sixpn("instance", "delete", record["id"], "--yes", say=False)
    for _ in range(2):
        cluster.sixpn("instance", "create", "--org", "acme", "--app", "my-worker", "--region", "ord", *SLEEP, say=False)
    expect([i["id"] for i in cluster.instances() if i["host"] == gone], [], "new instances on the drained host")
    cluster.sixpn("node", "delete", gone, "--yes")
    cluster.up("host-ord=2")
    cluster.tell("docker-compose up -d --scale host-ord=2", "")


def fewer_hosts(cluster):
    gone, stays = reversed(SCALED)
    all_three(cluster)
    leave(cluster, gone)
    expect(gone in cluster.nodes, False, "the drained host's container is there")
    expect(sorted(n["name"] for n in cluster.json("status")["nodes"]), sorted(cluster.nodes), "the nodes")
    wait_until(cluster.ready, 60, "all nodes ready")
    expect(stays in {i["host"] for i in cluster.instances("acme", "my-worker")}, True, "what runs on the host that stays")
    expect(cluster.laptop.run("curl", "-s", "--max-time", "10", PAGE).stdout, page("acme", "my-database"), "the page, to the laptop")


def words(cluster):
    return {n["name"]: n["host"] for n in cluster.json("node", "list")["items"]}


def a_new_replica(cluster):
    """The number of a node that was deleted is given again, to a node that joins."""
    if SCALED[1] in cluster.nodes:
        all_three(cluster)
        leave(cluster, SCALED[1])
    old = words(cluster)
    cluster.up("host-ord=3")
    wait_until(cluster.ready, 60, "all nodes ready")
    expect(set(words(cluster)), set(cluster.nodes), "nodes: one per container")
    expect(words(cluster)[SCALED[1]] in old.values(), False, "host-ord-3 has the host word of another")


# ---- the end

def zombies(cluster):
    dead = []
    for name, place in cluster.containers.items():
        for outer, _, _ in place.inner_pids():
            try:
                if re.search(r"^State:\s+Z", pathlib.Path(f"/proc/{outer}/status").read_text(), re.M):
                    dead.append(f"{name}: {pathlib.Path(f'/proc/{outer}/comm').read_text().strip()}")
            except OSError:
                pass  # it has ended
    return dead


def clean_end(cluster):
    """Every daemon hears SIGTERM and ends well within the time it has: 137 would be SIGKILL."""
    wait_until(lambda: zombies(cluster) == [], 10, f"no zombies in containers: {zombies(cluster)}")
    started = time.monotonic()
    cluster.compose("stop", "-t", str(GRACE))
    took = time.monotonic() - started
    codes = {name: one["State"]["ExitCode"] for name, one in cluster.inspect().items()}
    notes.append(f"{len(codes)} containers stopped in {took:.1f} s")
    expect(codes, dict.fromkeys(codes, 0), "exit codes")


def smallest(cluster):
    """The second file, and its first try."""
    one = ComposeCluster(cluster.engine, [HERE / "docker-compose.single.yml", *cluster.more_for_smallest], "sixpn-single", 4290)
    try:
        one.up()
        done = one.exec("client", "dig", "+short", "my-database.internal")
        expect(done.stdout.split(), [a for _, _, a in ids(one, "acme", "my-database")], "what dig says")
        expect(one.laptop.run("curl", "-s", "--max-time", "10", PAGE).stdout, page("acme", "my-database"), "the page")
        expect([(n["name"], n["roles"]) for n in one.json("status")["nodes"]], [("node-1", ["host", "gateway"])], "nodes")
    finally:
        one.compose("down", "-v", "-t", "2", check=False)


def rows():
    up, names, walls, people = "1. what came up", "2. names, from inside instances, over UDP and TCP", "3. isolation", "4. a laptop"
    away, scale, end = "5. restarts", "6. more hosts and fewer", "7. the way down"
    stop = breaks.stop_daemon
    return [
        Row("first-try", up, "dig answers the first time it is asked, the moment `up` came back", first_try, "gateway-ord is frozen", breaks.freeze("gateway-ord-1")),
        Row("healthy", up, "every container is healthy, what runs once ended well", all_healthy, "a node's daemon is stopped until its health is gone",
            breaks.sick("host-dev-1")),
        Row("unprivileged", up, "no container is privileged or has more than NET_ADMIN and SYS_ADMIN", unprivileged, "one more has SYS_PTRACE", breaks.one_more("--cap-add", "SYS_PTRACE")),
        Row("secrets", up, "secrets are in files of mode 0600 and nowhere else; nodes have none of customers'", secrets, "somebody prints a join token into a log",
            breaks.printed_token),
        Row("nodes-ready", up, "all nodes are ready and have applied everything", nodes_ready, "the daemon of host-dev-1 is stopped", stop("host-dev-1")),
        Row("names-txt", names, f"TXT of {APP}.internal and regions. is \"nrt,ord\"", names_txt, "the daemon of host-nrt-1 is stopped", stop("host-nrt-1")),
        Row("names-aaaa", names, "AAAA of the bare name, global., nrt. and <id>.vm. are the instances", names_aaaa, "the resolver's address is gone on host-dev-1",
            breaks.no_resolver("host-dev-1")),
        Row("names-lists", names, "vms., _apps and _instances list exactly what is there", names_lists, "the resolver's address is gone on host-ord-1",
            breaks.no_resolver("host-ord-1")),
        Row("names-views", names, "globex gets its own answers for the same name, and nothing of acme", names_views, "globex's queries are read as acme's",
            breaks.view_of_another),
        Row("names-negative", names, "A is NODATA at once, a name that never was is NXDOMAIN", names_negative, "the resolver's address is gone on host-nrt-1",
            breaks.no_resolver("host-nrt-1")),
        Row("near-first", names, "getent ahosts gives the near instance first in each region", near_first, "the far address is preferred by the instance's own gai.conf",
            breaks.address_label),
        Row("fetch", names, "my-frontend (nrt) fetches a page of my-database.internal (ord)", fetch, "the database's host is taken out of host-nrt-1's mesh",
            breaks.database_unroutable),
        Row("isolation", walls, "no packet of globex reaches acme: ICMP, UDP, TCP; true and forged sources; natural and mesh form", isolation,
            "programs detached and the second gate open on one host", breaks.all_gates_away),
        Row("laptop", people, "the laptop's names and pages come by WireGuard, from ord and from nrt", laptop, "gateway-ord is frozen", breaks.freeze("gateway-ord-1")),
        Row("laptop-walls", people, "and nothing of globex", laptop_walls, "the name of globex's app is acme's too", breaks.name_of_another),
        Row("controller", away, "the controller is stopped and started: names, fetches, the laptop and a stream go on", controller_restart,
            "the daemon of host-nrt-1 is stopped meanwhile", stop("host-nrt-1")),
        Row("restarts", away, "a restarted host, gateway and laptop are who they were, and work again", restarts, "the volume of host-nrt is emptied before it starts again",
            breaks.emptied_on_restart("host-nrt-1")),
        Row("scale-up", scale, "--scale host-ord=3: two more nodes, new instances land there and are reached by name", more_hosts, "the new hosts are drained", breaks.drained(*SCALED)),
        Row("scale-down", scale, "a drained host gets nothing, leaves, and the others go on", fewer_hosts, "draining does nothing", breaks.drain_forgotten),
        Row("scale-again", scale, "a replica that is made again joins as a new node", a_new_replica, "the list of known nodes is older than its identity", breaks.stale_list),
        Row("clean-end", end, "on SIGTERM every container ends with 0 in time; none has a zombie", clean_end, "the controller is frozen", breaks.deaf_controller),
        Row("smallest", "8. the second file", "a controller and one node of both roles: the first try works", smallest, "its laptop is of an organization that is not there",
            breaks.laptop_of_nobody),
    ]
