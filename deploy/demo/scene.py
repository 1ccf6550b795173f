"""scene - what stands when the claims are checked: regions, nodes, two customers with apps that know nothing of sixpn."""
from fixture.cluster import NODES, Instance, wait_until

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
WEB_PORT, ECHO_PORT = 8080, 7777

# A web server and an echo server, both bound to the name that the generated /etc/hosts gives; neither knows an address.
START = f"""#!/bin/sh
set -e
socat UDP6-RECVFROM:{ECHO_PORT},bind=[$(getent hosts fly-local-6pn | cut -d' ' -f1)],fork EXEC:cat &
socat TCP6-LISTEN:{ECHO_PORT},bind=[$FLY_LOCAL_6PN],fork,reuseaddr EXEC:cat &
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

