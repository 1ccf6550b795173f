"""What breaks the claims. Each function breaks one thing on the standing cluster and returns the function that mends it."""
import os
import signal
import time

from fixture.cell import BIN
from fixture.cluster import CONTROLLER_ADDRESS, LINK_PORT, wait_until

from .alone import STORE
from .common import APP, ids
from .gates import close_gates, detach, open_gates, pins, reattach, same_host_pair


def stop_daemon(name):
    def break_it(cluster):
        cluster.nodes[name].signal("sixpn-node", signal.SIGSTOP)
        wait_until(lambda: any(n["name"] == name and n["state"] != "ready" for n in cluster.json("status")["nodes"]), 30,
                   f"{name} is seen as unknown")

        def mend():
            cluster.nodes[name].signal("sixpn-node", signal.SIGCONT)
            wait_until(cluster.ready, 30, "all ready again")
        return mend
    return break_it


def on_host_of(org, app, break_command, mend_command):
    def break_it(cluster):
        cell = cluster.instance(org, app).cell
        cell.out("sh", "-c", break_command)
        return lambda: cell.out("sh", "-c", mend_command)
    return break_it


def view_of_another(cluster):
    """The queries of globex's instance arrive with the source of an acme instance of the same machine: the view is wrongly keyed."""
    evil = cluster.instance("globex", APP)
    good = next(i for i in cluster.instances("acme") if i["host"] == evil.host)
    cell = evil.cell
    cell.out("nft", f"add table ip6 sabotage; add chain ip6 sabotage in {{ type filter hook input priority -300; }}; "
                    f"add rule ip6 sabotage in ip6 saddr {evil.address} udp dport 53 ip6 saddr set {good['address']}")
    return lambda: cell.out("nft", "delete", "table", "ip6", "sabotage")


def address_label(cluster):
    """The far address gets the highest precedence in the instance's own resolver configuration."""
    place = cluster.instance("acme", "my-frontend")
    far = next(a for _, r, a in ids(cluster, "acme", APP) if r == "ord")
    if place.run("test", "-f", "/etc/gai.conf").returncode:
        raise LookupError("this machine has no /etc/gai.conf to put another over")
    place.out("sh", "-c", f"printf 'precedence {far}/128 100\\nprecedence ::/0 1\\n' > /run/gai && mount --bind /run/gai /etc/gai.conf")
    return lambda: place.out("umount", "/etc/gai.conf")


def all_gates_away(cluster):
    """Programs off both devices of one machine and the second gate open: packets do cross then, so the check can fail."""
    evil, good, _ = same_host_pair(cluster)
    open_gates(good.cell)
    detach(cluster, evil, good)
    return lambda: close_gates(cluster, good.host)


def only_gate_away(cluster):
    evil, good, _ = same_host_pair(cluster)
    open_gates(good.cell)
    return lambda: close_gates(cluster, good.host)


def only_programs_away(cluster):
    evil, good, _ = same_host_pair(cluster)
    detach(cluster, evil, good)
    return lambda: reattach(cluster, good.host)


def wrong_allowed_ip(cluster):
    cell = cluster.nodes["ord-1"]
    key = cell.out("wg", "show", "sixpn-mesh", "peers").split()[0]
    before = cell.out("wg", "show", "sixpn-mesh", "allowed-ips")
    prefix = next(line.split("\t")[1] for line in before.splitlines() if line.startswith(key))
    cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", f"{prefix},fdaa:aaaa:1::/48")
    return lambda: cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", prefix)


def database_unroutable(cluster):
    """The database's host is taken out of the frontend's mesh: its prefix goes to nobody."""
    front, base = cluster.instance("acme", "my-frontend"), cluster.instance("acme", "my-database")
    prefix = f"fdaa:{cluster.node_status(base.host)['host']}::/48"
    lines = front.cell.out("wg", "show", "sixpn-mesh", "allowed-ips").splitlines()
    key = next(line.split("\t")[0] for line in lines if prefix in line)
    front.cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", "")
    return lambda: front.cell.out("wg", "set", "sixpn-mesh", "peer", key, "allowed-ips", prefix)


def mesh_program_away(cluster):
    """The receiving machine's mesh programs are taken off and the sender's too: natural addresses would travel."""
    hosts = {cluster.instance("acme", app).host for app in ("my-frontend", "my-database")}
    for host in hosts:
        cell = cluster.nodes[host]
        for pin in pins(cell, "sixpn-mesh"):
            cell.out("bpftool", "link", "detach", "pinned", f"/sys/fs/bpf/sixpn/{pin}")
            cell.out("rm", f"/sys/fs/bpf/sixpn/{pin}")
    return lambda: reattach(cluster, *hosts)


def chatter(cluster):
    """Somebody on a machine speaks in the clear, to a port that is not ours."""
    cell = cluster.nodes["nrt-1"]
    talker = cell.popen("sh", "-c", f"while :; do echo acme | nc -u -w0 {CONTROLLER_ADDRESS} 9999; sleep 0.05; done")

    def mend():
        for pid in [p for p, _, command in cell.inner_pids() if "9999" in command]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        talker.wait()
        time.sleep(0.2)
    return mend


def api_on_the_underlay(cluster):
    talker = cluster.controller.popen("nc", "-lk", CONTROLLER_ADDRESS, "4280")
    wait_until(lambda: cluster.nodes["dev-1"].run("nc", "-z", "-w1", CONTROLLER_ADDRESS, "4280").returncode == 0, 5, "nc listens")

    def mend():
        for pid in cluster.controller.pids_of("nc"):
            os.kill(pid, signal.SIGKILL)
        talker.wait()
    return mend


NO_RESOLVER = ("ip -6 addr del fdaa::3/128 dev lo", "ip -6 addr replace fdaa::3/128 dev lo nodad")


# ---- of life without a controller

def loop_in(cell, script):
    """A script that runs in a cell until it is mended; returns what ends it."""
    runner = cell.popen("sh", "-c", script)

    def end():
        for pid in [p for p, _, command in cell.inner_pids() if script in command]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        runner.wait()
    return end


def health_check(cluster):
    """Somebody's health check takes the resolver of nrt-1 away while the controller does not answer."""
    cell = cluster.nodes["nrt-1"]
    end = loop_in(cell, f"while sleep 0.1; do if nc -z -w1 {CONTROLLER_ADDRESS} {LINK_PORT}; "
                        f"then ip -6 addr replace fdaa::3/128 dev lo nodad; else ip -6 addr del fdaa::3/128 dev lo; fi 2>/dev/null; done")

    def mend():
        end()
        cell.out("ip", "-6", "addr", "replace", "fdaa::3/128", "dev", "lo", "nodad")
    return mend


def damaged_state(cluster):
    """The state files of nrt-1 rot on its disk; the daemon that runs does not read them."""
    for name in ("replica.snapshot", "replica.journal"):
        path = cluster.nodes["nrt-1"].path(f"/var/lib/sixpn/node/{name}")
        path.write_bytes(b"rubbish" + path.read_bytes()[7:])
    return lambda: cluster.restart_node("nrt-1")


def no_shim(cluster):
    """nrt-1 cannot start a process any more."""
    cell, shim = cluster.nodes["nrt-1"], str(BIN / "sixpn-shim")
    cell.out("mount", "--bind", "/bin/false", shim)

    def mend():
        cell.out("umount", shim)
        for record in cluster.instances("umbrella"):
            cluster.sixpn("instance", "start", record["id"], say=False, check=False)
        cluster.settle()
    return mend


def another_log(cluster):
    """The store comes back as another one, as after a restore: no cursor means anything to it."""
    script = f"import sqlite3; s = sqlite3.connect('{STORE}/sixpn.db', 5); s.execute('UPDATE meta SET log_id = randomblob(16)'); s.commit()"
    cluster.controller.out("python3", "-c", script)
    return lambda: None


def waker(cluster):
    """Who is stopped on dev-1 is woken at once: it never falls behind."""
    cell = cluster.nodes["dev-1"]
    inner = next(inside for _, inside, command in cell.inner_pids() if "/sixpn-node " in command)
    return loop_in(cell, f"while sleep 0.02; do kill -CONT {inner}; done")
