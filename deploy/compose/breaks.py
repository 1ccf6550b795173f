"""breaks - what breaks the claims of checks.py. Each function breaks one thing on the standing cluster and returns the function that mends
it. Nodes of a sabotage run look at their kernel once an hour (sabotage.yml), so that what is taken away stays away."""
import shutil
import signal

from claims import sabotage
from claims.common import APP
from fixture.cluster import wait_until

address_label, database_unroutable, view_of_another, stop_daemon = (
    sabotage.address_label, sabotage.database_unroutable, sabotage.view_of_another, sabotage.stop_daemon)


def no_resolver(name):
    def break_it(cluster):
        cluster.nodes[name].out("ip", "-6", "addr", "del", "fdaa::3/128", "dev", "lo")
        return lambda: cluster.nodes[name].out("ip", "-6", "addr", "add", "fdaa::3/128", "dev", "lo")
    return break_it


def freeze(name):
    def break_it(cluster):
        cluster.engine.docker("pause", cluster.container_of(name), check=True)
        return lambda: cluster.engine.docker("unpause", cluster.container_of(name), check=True)
    return break_it


def health(cluster, name):
    return cluster.inspect()[cluster.container_of(name)]["State"]["Health"]["Status"]


def sick(name):
    def break_it(cluster):
        cluster.nodes[name].signal("sixpn-node", signal.SIGSTOP)

        def mend():
            cluster.nodes[name].signal("sixpn-node", signal.SIGCONT)
            wait_until(lambda: health(cluster, name) == "healthy", 60, f"{name} is healthy again")
            wait_until(cluster.ready, 60, "all nodes ready")
        wait_until(lambda: health(cluster, name) == "unhealthy", 120, f"{name} is unhealthy")
        return mend
    return break_it


def one_more(*flags):
    def break_it(cluster):
        cluster.engine.docker("run", "-d", "--name", "one-more", "--label", f"com.docker.compose.project={cluster.project}", *flags, "sixpn:dev",
                              "sleep", "1000", check=True)
        return lambda: cluster.engine.docker("rm", "-f", "one-more", check=True)
    return break_it


def printed_token(cluster):
    """Into the log of a container beside the others, because logs are not mended."""
    token = cluster.controller.path("/run/join/ord-host").read_text().strip()
    cluster.engine.docker("run", "-d", "--name", "one-more", "--label", f"com.docker.compose.project={cluster.project}", "sixpn:dev", "sleep", "1000",
                          token, check=True)
    return lambda: cluster.engine.docker("rm", "-f", "one-more", check=True)


def all_gates_away(cluster):
    """The demo's, which needs bpftool inside: the image has none."""
    for name in cluster.nodes:
        cluster.engine.docker("cp", shutil.which("bpftool") or "/usr/sbin/bpftool", f"{cluster.container_of(name)}:/usr/sbin/bpftool", check=True)
    return sabotage.all_gates_away(cluster)


def name_of_another(cluster):
    cluster.sixpn("app", "create", "widget-shop", "--org", "acme")
    return lambda: cluster.sixpn("app", "delete", "acme/widget-shop", "--yes")


def emptied_on_restart(name):
    """What the node knows of itself is gone from the volume of its service."""
    def break_it(cluster):
        cluster.nodes[name].out("mv", f"/var/lib/sixpn/{name}", "/var/lib/sixpn/away")

        def mend():
            container, volume = cluster.container_of(name), f"{cluster.project}_{name.rsplit('-', 1)[0]}:/volume"
            cluster.engine.docker("stop", "-t", "2", container, check=True)
            cluster.engine.docker("run", "--rm", "-v", volume, "sixpn:dev", "sh", "-c", f"rm -rf /volume/{name} && mv /volume/away /volume/{name}", check=True)
            cluster.engine.docker("start", container, check=True)
            cluster.refresh()
            for node in cluster.json("node", "list")["items"]:
                if node["name"] not in cluster.nodes:  # what joined in its place
                    cluster.sixpn("node", "delete", node["name"], "--force", "--yes")
            cluster.back(name)
        return mend
    return break_it


def drained(*names):
    def break_it(cluster):
        cluster.up("host-ord=3")
        for name in names:
            cluster.sixpn("node", "drain", name)

        def mend():
            for record in [i for i in cluster.instances("acme", "my-worker") if i["region"] == "ord"]:
                cluster.sixpn("instance", "delete", record["id"], "--yes")
            for name in names:
                cluster.sixpn("node", "undrain", name)
        return mend
    return break_it


def drain_forgotten(cluster):
    """`sixpn node drain` is asked of the wrong node."""
    real, name = cluster.sixpn, "host-dev-1"

    def sixpn(*args, **kw):
        return real(*((*args[:2], name) if args[:2] == ("node", "drain") else args), **kw)
    cluster.sixpn = sixpn

    def mend():
        cluster.sixpn = real
        cluster.sixpn("node", "undrain", name)
        for record in [i for i in cluster.instances("acme", "my-worker") if i["host"] == "host-ord-3"]:
            cluster.sixpn("instance", "delete", record["id"], "--yes")
    return mend


def stale_list(cluster):
    """Nobody says any more which nodes there are."""
    place = cluster.controller
    place.out("sh", "-c", "rm -f /run/join/nodes; mkdir /run/join/nodes.new")

    def mend():
        place.out("rmdir", "/run/join/nodes.new")
        wait_until(lambda: place.path("/run/join/nodes").exists(), 30, "the list of nodes is written again")
        cluster.engine.docker("restart", cluster.container_of("host-ord-3"), check=True)
        cluster.refresh()
        wait_until(cluster.ready, 60, "all nodes ready")
    return mend


def deaf_controller(cluster):
    cluster.controller.signal("sixpn-controller", signal.SIGSTOP)
    return lambda: cluster.up(*cluster.scales[1::2])


def laptop_of_nobody(cluster):
    path = cluster.engine.home / "nobody.yml"
    path.write_text('version: "3.9"\nservices:\n  client: {environment: {SIXPN_ORG: nobody}, healthcheck: {retries: 2}}\n')
    cluster.more_for_smallest = [path]

    def mend():
        cluster.more_for_smallest = []
    return mend
