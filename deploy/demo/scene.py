"""scene - what stands when the claims are checked: regions, nodes, two customers with apps that know nothing of sixpn."""
import json

import bridge
from fixture.cluster import API_PORT, NODES, Instance, wait_until
from fixture.customer import API_NAME, OWN

MACHINES = [*NODES, ("gw-ord", "ord")]

# org, app, regions. Both orgs have an app of the same name.
APPS = [
    ("acme", "fearsome-bagel-43", ["ord", "nrt"]),
    ("acme", "my-database", ["ord"]),
    ("acme", "my-frontend", ["nrt"]),
    ("acme", "my-worker", ["dev"]),
    ("globex", "fearsome-bagel-43", ["ord"]),
    ("globex", "widget-shop", ["nrt"]),
]
# Machines of customers, somewhere on the Internet: org, name, region, resolvconf, address families, more flags of `sixpn peer create`.
PEOPLE = [
    ("acme", "laptop", "ord", "openresolv", (4,), ["--dns", "all"]),
    ("acme", "vps", "dev", None, (6,), []),
    ("globex", "rival", "dev", None, (4,), []),
    ("acme", "office", "ord", None, (4,), []),
    ("acme", "tablet", None, None, (4,), []),  # has no peer yet
    ("acme", "desk", None, None, (4,), []),  # nor has it, and will use flyctl
]
OWN_PAGE = "this is on the laptop's own disk\n"
WEB_PORT, ECHO_PORT = 8080, 7777
BULK = 24_000_000  # octets of a download: more than a socket takes in advance

# A web server and an echo server, both bound to the name that the generated /etc/hosts gives; neither knows an address.
START = f"""#!/bin/sh
set -e
socat UDP6-RECVFROM:{ECHO_PORT},bind=[$(getent hosts fly-local-6pn | cut -d' ' -f1)],fork EXEC:cat &
socat TCP6-LISTEN:{ECHO_PORT},bind=[$FLY_LOCAL_6PN],fork,reuseaddr EXEC:cat &
truncate -s {BULK} /srv/bulk
exec python3 -m http.server {WEB_PORT} --bind fly-local-6pn --directory /srv
"""


def page(org, app):
    return f"this is {app} of {org}\n"


def spec(org, app):
    return {"schema": 1, "command": ["/bin/sh", "/srv/start.sh"], "restart": "always", "drain_ms": 100, "stop_timeout_ms": 3000,
            "files": [{"path": "/srv/start.sh", "content": START}, {"path": "/srv/page.txt", "content": page(org, app)}]}


def operator(told, cluster):
    told.title("1. the operator: a controller, three regions, five machines")
    cluster.start_outside()
    cluster.start_controller()
    cluster.sixpn("init")
    for region in ("ord", "nrt", "dev"):
        cluster.sixpn("region", "create", region)
    for region, roles, names in cluster.kinds():
        args = ["node", "token", "create", "--region", region, "--kind", roles, "--uses", str(len(names)), "--expires", "10m"]
        token = cluster.secret(*args)
        told.command("sixpn " + " ".join(args) + " -o join.token", "")
        for name in names:
            cluster.join(name, token)
            told.command(f"sixpn-node --join /run/join.token        # on {name}", "")
    wait_until(cluster.ready, 20, "all nodes ready")
    cluster.sixpn("status")


def customers(told, cluster):
    told.title("2. two customers, with an app of the same name")
    for org, app, regions in APPS:
        cluster.deploy(org, app, regions, spec(org, app))
    cluster.settle()
    wait_until(lambda: all(serves(cluster, i) for i in cluster.instances()), 20, "all servers listen")
    cluster.sixpn("instance", "list")


def serves(cluster, record):
    """Its own host sees it listen (from inside: nothing outside may)."""
    try:
        return f":{WEB_PORT}" in Instance(cluster, record).out("ss", "-ltn")
    except (RuntimeError, OSError, StopIteration):
        return False


def people(told, cluster):
    told.title("2. and their people, whose machines know the API and the gateways and reach nothing else of ours")
    cluster.people = {}
    for org, name, region, resolvconf, families, flags in PEOPLE:
        place = cluster.people[name] = cluster.internet.customer(name, resolvconf, families)
        place.org = org
        place.log_in(cluster.secret("token", "create", "--org", org, "--profile", "peers", "--name", name), f"http://{API_NAME}:{API_PORT}")
        if region:
            join(place, name, "--region", region, *flags, tell=told.command)
    bridge.follow(told, cluster.people["office"])
    laptop = cluster.people["laptop"]
    laptop.here("mkdir", "public")
    laptop.write("public/page.txt", OWN_PAGE)
    laptop.spawn("web", "python3", "-m", "http.server", WEB_PORT, "--bind", "::", "--directory", f"{OWN}/public")


def facts(place, name):
    return json.loads(place.sixpn("peer", "show", name, "--org", place.org, "--json").stdout)


def join(place, name, *flags, tell=lambda *_: None):
    """A peer, and its tunnel, on the machine of whoever wants it."""
    args = ["peer", "create", name, "--org", place.org, *flags, "-o", f"{name}.conf"]
    done = place.sixpn(*args)
    tell("sixpn " + " ".join(args) + f"          # on {place.name}, a machine of {place.org}", done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(f"{place.name}: sixpn {' '.join(args)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    place.peer = facts(place, name)
    place.wg_quick("up", f"{name}.conf")
    tell(f"wg-quick up ./{name}.conf          # on {place.name}", "")
