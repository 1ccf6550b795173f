"""People: customers' own machines, whose tunnel wg-quick itself brings up with the file that the command wrote."""
import json
import re
import threading

from fixture.cell import Place
from fixture.cluster import Instance, wait_until
from fixture.customer import LAN6, NOBODY, OWN
from fixture.judge import Judge
import bridge
from scene import BULK, ECHO_PORT, OWN_PAGE, WEB_PORT, facts, join, page

from .common import APP, Wrong, both, expect, ids, joined, notes
from .walls import nothing_crosses

PATIENT = "10"  # seconds for what is there: only what never comes takes so long
ACME_APPS = "fearsome-bagel-43,my-database,my-frontend,my-worker"


def again(place, name):
    """Down and up, as when the machine was off meanwhile; what wg-quick said."""
    if place.run("ip", "link", "show", name).returncode == 0:
        place.wg_quick("down", f"{name}.conf")
    expect(place.out("cat", "/etc/resolv.conf").split("\n")[-1], f"nameserver {NOBODY}", f"resolv.conf of {name} without its tunnel")
    return place.wg_quick("up", f"{name}.conf")


def with_resolvconf(cluster):
    place = cluster.people["laptop"]
    again(place, "laptop")
    resolv = place.out("cat", "/etc/resolv.conf")
    cluster.tell("wg-quick up ./laptop.conf; cat /etc/resolv.conf          # on laptop, which has openresolv", resolv)
    expect([line for line in resolv.splitlines() if line.startswith("nameserver")], [f"nameserver {place.peer['dns']}"], "its resolv.conf")
    answer = place.dig("_apps.internal", "TXT")
    cluster.tell("dig +short _apps.internal TXT          # on laptop", "\n".join(answer))
    expect(joined(answer), ACME_APPS, "_apps.internal")


def without_resolvconf(cluster):
    place = cluster.people["vps"]
    expect(place.run("sh", "-c", "command -v resolvconf resolvectl").stdout, "", "a resolvconf on this machine")
    said = [line for line in again(place, "vps").splitlines() if line.startswith("sixpn:")]
    cluster.tell("wg-quick up ./vps.conf          # on vps, which has no resolvconf", "\n".join(said))
    expect((len(said), place.peer["dns"] in "".join(said)), (1, True), f"the line that says where to ask instead ({said})")
    answer = place.dig("_apps.internal", "TXT", server=place.peer["dns"])
    cluster.tell(f"dig +short @{place.peer['dns']} _apps.internal TXT          # on vps", "\n".join(answer))
    expect(joined(answer), ACME_APPS, "_apps.internal")


def names(cluster):
    """What its owner asks at the address that the file names, over UDP and TCP."""
    for name in ("laptop", "vps"):
        place = cluster.people[name]
        for region in ("ord", "nrt"):
            want = [a for _, r, a in ids(cluster, "acme", APP) if r == region]
            for tcp in (False, True):
                expect(place.dig(f"{region}.{APP}.internal", "AAAA", server=place.peer["dns"], tcp=tcp), want, f"{region}.{APP}.internal on {name}")
    place = cluster.people["laptop"]
    cluster.tell(f"dig +short nrt.{APP}.internal AAAA          # on laptop", "\n".join(place.dig(f"nrt.{APP}.internal", "AAAA")))


def fetch(cluster):
    for name, hosts in (("laptop", ("my-database", "my-frontend")), ("vps", ())):
        place = cluster.people[name]
        for app in hosts:
            command = ["curl", "-s", "--max-time", PATIENT, f"http://{app}.internal:{WEB_PORT}/page.txt"]
            done = place.run(*command)
            cluster.tell(" ".join(command) + f"          # on {name}", done.stdout)
            expect((done.returncode, done.stdout), (0, page("acme", app)), f"the page of {app}")
        for record in cluster.instances("acme"):
            said = place.run("sh", "-c", f"echo alive | timeout {PATIENT} socat -t5 - 'TCP6:[{record['address']}]:{ECHO_PORT}'").stdout.strip()
            expect(said, "alive", f"the echo of {record['app']} in {record['region']} on {name}")


def region_falls_back(cluster):
    """A phone for nrt, which has no gateway: made elsewhere, and said; --strict is an error that names the regions that have one."""
    place = cluster.people["laptop"]
    args = ["peer", "create", "phone", "--org", "acme", "--region", "nrt"]
    strict = place.sixpn(*args, "--strict", "-o", "strict.conf")
    cluster.tell("sixpn " + " ".join([*args, "--strict", "-o", "strict.conf"]), strict.stderr)
    if strict.returncode != 1 or not all(re.search(rf"\b{region}\b", strict.stderr) for region in ("ord", "dev")):
        raise Wrong(f"--strict: exit {strict.returncode}, {strict.stderr!r}")
    try:
        done = place.sixpn(*args, "-o", "phone.conf", "--json")
        cluster.tell("sixpn " + " ".join([*args, "-o", "phone.conf"]), done.stderr)
        expect(done.returncode, 0, f"exit status of the phone's create ({done.stderr})")
        reply = json.loads(done.stdout)
        given = reply["region"]
        expect((reply["requested_region"], given), ("nrt", "ord"), "asked for and got (Chicago is nearer to Tokyo than Ashburn)")
        said = [text for text in (done.stderr, *reply["warnings"][:1]) if "nrt" in text and given in text]
        expect(len(said), 2, "the notice on stderr and in warnings[]")
    finally:
        place.sixpn("peer", "delete", "phone", "--org", "acme", "--yes")
        place.here("rm", "-f", "phone.conf", "strict.conf")


def roaming(cluster):
    """A download that is under way while its owner leaves the house. Its gateway knows the new place by the first packet that comes from
    there: by the keepalive, within 25 s, or as here by whatever else the laptop has to say."""
    place = cluster.people["laptop"]
    command = ["curl", "-s", "--max-time", "40", "--limit-rate", "4M", "-o", "bulk", "-w", "%{size_download}",
               f"http://my-database.internal:{WEB_PORT}/bulk"]
    download = threading.Thread(target=lambda: got.append(place.here(*command, timeout=60)))
    got, at_first = [], seen_at(cluster, place).rsplit(":", 1)[0]
    download.start()
    try:
        wait_until(lambda: size(place, "bulk") > BULK // 8, 15, "the download is under way")
        place.move(True)
        expect(size(place, "bulk") < BULK, True, "the download was not over before its owner left")
        place.run("dig", "+short", "+time=1", "+tries=3", "my-database.internal", "AAAA")
        download.join()
        expect((got[0].returncode, got[0].stdout), (0, str(BULK)), "exit status and octets of the download")
        at_last = seen_at(cluster, place).rsplit(":", 1)[0]
        cluster.tell(" ".join(command) + "          # on laptop, which leaves the house meanwhile", got[0].stdout)
        if at_first == at_last:
            raise Wrong(f"the gateway sees the laptop at {at_last} all the time")
        notes.append(f"{BULK} octets from ord; the gateway saw the laptop at {at_first}, then at {at_last}")
    finally:
        download.join()
        place.move(False)
        place.here("rm", "-f", "bulk")
        reaches(place)


def size(place, name):
    path = place.path(f"{OWN}/{name}")
    return path.stat().st_size if path.exists() else 0


def seen_at(cluster, place):
    """Address and port at which its gateway sees a peer."""
    lines = cluster.nodes[place.peer["gateway"]].out("wg", "show", "sixpn-peers", "endpoints").splitlines()
    return next(line.split("\t")[1] for line in lines if line.startswith(place.peer["public_key"]))


def reaches(place):
    """Whether its gateway's ::3 answers it."""
    return place.run("ping", "-6", "-c1", "-W0.7", "-n", place.peer["dns"]).returncode == 0


def comes_through(place, what):
    """A handshake comes first; on a busy machine that takes longer than one ping waits, and a lost one is repeated after 5 s."""
    wait_until(lambda: reaches(place), 24, what)


def rekey_and_delete(cluster):
    """A peer that is made, gets another key and is deleted; each is true of its gateway when the command returns, for the session that was
    there and for a new one."""
    place = cluster.people["tablet"]
    clean_up(place)
    join(place, "tablet", "--region", "ord")
    try:
        comes_through(place, "the new peer reaches its gateway's ::3")
        say(cluster, place, "rekey", "tablet", "-o", "again.conf")
        expect(reaches(place), False, "the old session still reaches it")
        again(place, "tablet")
        expect(reaches(place), False, "the old key still reaches it")
        place.write("tablet.conf", place.file("again.conf"))
        again(place, "tablet")
        comes_through(place, "the new key reaches it")
        same = facts(place, "tablet")
        expect((same["name"], same["address"]), ("tablet", place.peer["address"]), "name and address after the rekey")
        say(cluster, place, "delete", "tablet", "--yes")
        expect(reaches(place), False, "the deleted peer still reaches it")
        again(place, "tablet")
        expect(reaches(place), False, "the deleted peer reaches it again")
    finally:
        clean_up(place)


def gateway_of(place):
    return facts(place, place.name)["gateway"]


def moving(cluster):
    """A peer that goes to the gateway of another region: its old tunnel works until the new file is used, and then everybody reaches it
    there, under the address that it had."""
    place, instance = cluster.people["tablet"], cluster.instance("acme", "my-frontend")
    clean_up(place)
    join(place, "tablet", "--region", "ord")
    try:
        say(cluster, place, "move", "tablet", "--gateway", "dev-1", "--from", "tablet.conf", "-o", "moved.conf")
        wait_until(lambda: answered(place, instance.address), 24, "its old tunnel works")
        expect(gateway_of(place), "gw-ord", "the gateway in use")
        old, new = (place.file(f"{name}.conf").splitlines() for name in ("tablet", "moved"))
        differ = sorted(b.split(" = ")[0] for a, b in zip(old, new) if a != b and not b.startswith("#"))
        expect((len(old), differ), (len(new), ["Endpoint", "PublicKey"]), "lines that differ in its new file")
        place.wg_quick("down", "tablet.conf")
        place.write("tablet.conf", place.file("moved.conf"))
        place.wg_quick("up", "tablet.conf")
        answered(place, instance.address)  # it has something to say, so it shakes hands
        wait_until(lambda: gateway_of(place) == "dev-1", 24, "the tablet has arrived at dev-1")
        same = facts(place, "tablet")
        expect((same["name"], same["address"]), ("tablet", place.peer["address"]), "name and address after the move")
        wait_until(lambda: answered(instance, same["address"]), 15, "my-frontend in nrt reaches the tablet at dev-1")
        expect(answered(instance, same["address"], 5), True, "five pings of my-frontend in a row")
        keys = cluster.nodes["gw-ord"].out("wg", "show", "sixpn-peers", "peers").split()
        expect(place.peer["public_key"] in keys, False, "gw-ord still lets it in")
        notes.append(f"{same['address']}: at gw-ord, then at dev-1")
    finally:
        clean_up(place)


def answered(place, address, tries=1):
    """Every one of so many pings, one after the other. Each has a process of its own: -W counts only until one was answered, and then the
    last of several has no more than an interval left, which a busy machine exceeds."""
    return all(place.run("ping", "-6", "-n", "-c1", "-W3", address).returncode == 0 for _ in range(tries))


def say(cluster, place, verb, *args):
    done = place.sixpn("peer", verb, args[0], "--org", "acme", *args[1:])
    cluster.tell(" ".join(["sixpn peer", verb, args[0], "--org acme", *args[1:]]) + f"          # on {place.name}", done.stdout + done.stderr)
    expect(done.returncode, 0, f"exit status of peer {verb} ({done.stderr.strip()})")
    return done


def clean_up(place):
    if place.run("ip", "link", "show", place.name).returncode == 0:
        place.wg_quick("down", f"{place.name}.conf")
    place.sixpn("peer", "delete", place.name, "--org", "acme", "--yes")
    place.here("sh", "-c", "rm -f *.conf")


def reachable_by_name(cluster):
    """An instance asks for a laptop by name and fetches a page that its owner's own server gives."""
    place, instance = cluster.people["laptop"], cluster.instance("acme", "my-frontend")
    expect(both(instance, "laptop._peer.internal", "AAAA"), [place.peer["address"]], "laptop._peer.internal")
    expect("laptop" in joined(both(instance, "_peer.internal", "TXT")), True, "laptop in _peer.internal")
    command = ["curl", "-s", "--max-time", PATIENT, f"http://laptop._peer.internal:{WEB_PORT}/page.txt"]
    done = instance.run(*command)
    cluster.tell(" ".join(command) + "          # in acme/my-frontend", done.stdout)
    expect((done.returncode, done.stdout), (0, OWN_PAGE), "the laptop's page")


def status(cluster):
    """Of the tunnel that was just made, not of the one before: its port is another."""
    place = cluster.people["laptop"]
    again(place, "laptop")
    comes_through(place, "the laptop reaches its gateway's ::3")
    where = seen_at(cluster, place)
    now = wait_until(lambda: (lambda n: n if n["endpoint"] == where else None)(numbers(place)), 24, f"its status says that it is at {where}")
    expect((now["state"], now["gateway"], now["gateway_live"], now["transport"]), ("online", "gw-ord", True, "udp"), "its status")
    expect((now["handshake_age_s"] < 60, now["rx_bytes"] > 0, now["tx_bytes"] > 0), (True, True, True), f"handshake and bytes ({now})")
    cluster.tell("sixpn peer status laptop --org acme          # on laptop", place.sixpn("peer", "status", "laptop", "--org", "acme").stdout)


def numbers(place):
    return json.loads(place.sixpn("peer", "status", place.name, "--org", "acme", "--json").stdout)


class Tunnel(Place):
    """A customer's machine as walls.py and the judge want somebody in the 6PN: with an id, an address and a device that leads there."""

    neighbour = b""

    def __init__(self, place):
        super().__init__(f"{place.name} (a peer)", place.pid, place.namespaces)
        self.id, self.address, self.inner, self.place = place.peer["id"], place.peer["address"], place.name, place

    def __enter__(self):
        """Its owner lets everything out: what comes of that is for the gateway to decide."""
        self.place.out("wg", "set", self.inner, "peer", self.place.peer["gateway_public_key"], "allowed-ips", "::/0,0.0.0.0/0")
        return self

    def __exit__(self, *_):
        self.place.out("wg", "set", self.inner, "peer", self.place.peer["gateway_public_key"], "allowed-ips",
                       ",".join(self.place.peer["allowed_ips"]))


def peer_walls(cluster):
    """A laptop of globex against the instances and the laptop of acme, and against acme's name server."""
    ours, theirs = cluster.people["laptop"], cluster.people["rival"]
    with Judge(cluster) as judge, Tunnel(theirs) as attacker:
        victims = [Instance(cluster, i) for i in cluster.instances("acme")] + [Tunnel(ours)]
        before = cluster.drops(theirs.peer["gateway"])
        n = nothing_crosses(cluster, judge, attacker, victims)
        theirs.out("ip", "-6", "route", "replace", f"{ours.peer['dns']}/128", "dev", attacker.inner)
        try:
            answer = theirs.run("dig", "+time=1", "+tries=1", f"@{ours.peer['dns']}", "_apps.internal", "TXT")
            expect((answer.returncode != 0, "status:" in answer.stdout), (True, False), "acme's ::3 says nothing to globex")
        finally:
            theirs.out("ip", "-6", "route", "del", f"{ours.peer['dns']}/128", "dev", attacker.inner)
        after = cluster.drops(theirs.peer["gateway"])
    counted = {k: after[k] - before[k] for k in after if after[k] != before[k]}
    if not counted.get("destination_network"):
        raise Wrong(f"no drop was counted as destination_network: {counted}")
    notes.append(f"{n} packets sent, 0 arrived; counted on {theirs.peer['gateway']}: " + ", ".join(f"{k} {v}" for k, v in sorted(counted.items()))
                 + "; those with a forged source ended in WireGuard")


def office(cluster):
    """The checks of the page that the office followed."""
    place, instance = cluster.people["office"], cluster.instance("acme", "my-frontend")
    text = bridge.page(place)
    for where, command, expected in bridge.checks(text):
        words = command.split()
        done = (place.sixpn(*words[1:]) if words[0] == "sixpn" else
                (place.here if where == "the machine" else instance.run)("timeout", "1" if "no answer" in expected else PATIENT, *words))
        good = {"a time, not 0": done.stdout.split()[-1:] not in ([], ["0"]), "open (socat)": done.returncode == 0,
                "open (NAT66)": done.returncode == 0, "no FAIL": done.returncode == 0 and "FAIL" not in done.stdout}.get(expected, done.returncode == 124 and "no answer" in expected)
        cluster.tell(f"{command}          # in {'office' if where == 'the machine' else instance.name}", done.stdout + done.stderr)
        if not good:
            raise Wrong(f"`{command}` on {where}: exit {done.returncode} {done.stdout}{done.stderr}, want {expected}")
    for target in re.findall(r"nc -zv (\S+) 5432", text):
        got = instance.run("sh", "-c", f"timeout {PATIENT} socat -u 'TCP6:{'[' + target + ']' if ':' in target else target}:5432' -").stdout
        expect(got, bridge.SAYS, f"what the server in the office says by {target}")
    from_the_office(cluster, place, instance)


def from_the_office(cluster, place, instance):
    """The other way, as the page says: with a route to the machine, the server in the office reaches apps and asks their names."""
    server, route = place.behind, f"{place.peer['allowed_ips'][0]} via {LAN6}1"
    server.out("sh", "-c", f"ip -6 route add {route}")
    try:
        said = server.run("sh", "-c", f"echo alive | timeout {PATIENT} socat -t5 - 'TCP6:[{instance.address}]:{ECHO_PORT}'").stdout.strip()
        cluster.tell(f"ip -6 route add {route}          # on db.lan, which then speaks with {instance.name}", said)
        expect(said, "alive", "the echo of my-frontend at db.lan")
        answer = server.out("dig", "+short", "+time=5", "+tries=1", f"@{place.peer['dns']}", "my-frontend.internal", "AAAA")
        expect(answer.strip(), instance.address, "my-frontend.internal at db.lan")
    finally:
        server.out("sh", "-c", f"ip -6 route del {route}")
