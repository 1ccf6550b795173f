"""Names, asked from inside instances, over UDP and TCP."""
import time

from scene import WEB_PORT, page

from .common import APP, Wrong, both, expect, ids, joined


def names_txt(cluster):
    place = cluster.instance("acme", "my-frontend")
    for name in (f"{APP}.internal", f"regions.{APP}.internal"):
        answer = both(place, name, "TXT")
        cluster.tell(f"dig +short {name} TXT          # in acme/my-frontend", "\n".join(answer))
        expect(answer, ['"nrt,ord"'], name)


def names_aaaa(cluster):
    place = cluster.instance("acme", "my-worker")
    all_of = ids(cluster, "acme", APP)
    everywhere = sorted(a for _, _, a in all_of)
    for name in (f"{APP}.internal", f"global.{APP}.internal"):
        expect(both(place, name, "AAAA"), everywhere, name)
    expect(both(place, f"nrt.{APP}.internal", "AAAA"), [a for _, r, a in all_of if r == "nrt"], f"nrt.{APP}.internal")
    for machine, _, address in all_of:
        expect(both(place, f"{machine}.vm.{APP}.internal", "AAAA"), [address], f"{machine}.vm")
    cluster.tell(f"dig +short nrt.{APP}.internal AAAA          # in acme/my-worker", "\n".join(place.dig(f"nrt.{APP}.internal", "AAAA")))


def names_lists(cluster):
    place = cluster.instance("acme", "my-database")
    vms = joined(both(place, f"vms.{APP}.internal", "TXT"))
    expect(sorted(vms.split(",")), sorted(f"{i} {r}" for i, r, _ in ids(cluster, "acme", APP)), "vms")
    expect(joined(both(place, "_apps.internal", "TXT")), "fearsome-bagel-43,my-database,my-frontend,my-worker", "_apps")
    listed = joined(both(place, "_instances.internal", "TXT")).split(";")
    expect(sorted(listed), sorted(f"instance={i['id']},app={i['app']},ip={i['address']},region={i['region']}"
                                  for i in cluster.instances("acme")), "_instances")
    cluster.tell("dig +short _apps.internal TXT          # in acme/my-database", "\n".join(place.dig("_apps.internal", "TXT")))


def names_views(cluster):
    ours, theirs = cluster.instance("acme", "my-database"), cluster.instance("globex", APP)
    expect(both(theirs, f"{APP}.internal", "AAAA"), [a for _, _, a in ids(cluster, "globex", APP)], "globex's own answer")
    expect(both(ours, f"{APP}.internal", "AAAA"), sorted(a for _, _, a in ids(cluster, "acme", APP)), "acme's own answer")
    expect(joined(both(theirs, "_apps.internal", "TXT")), "fearsome-bagel-43,widget-shop", "globex's _apps")
    expect(theirs.rcode("my-database.internal", "AAAA"), ("NXDOMAIN", 0), "another org's name")
    cluster.tell(f"dig +short {APP}.internal AAAA          # in globex/{APP}", "\n".join(theirs.dig(f"{APP}.internal", "AAAA")))


def names_negative(cluster):
    place = cluster.instance("acme", "my-frontend")
    started = time.monotonic()
    for tcp in (False, True):
        expect(place.rcode(f"{APP}.internal", "A", tcp), ("NOERROR", 0), "A of an AAAA-only name")
        expect(place.rcode("never-was.internal", "AAAA", tcp), ("NXDOMAIN", 0), "a name that never was")
        expect(place.rcode(f"dev.{APP}.internal", "AAAA", tcp), ("NOERROR", 0), "a region without an instance")
    if time.monotonic() - started > 4:
        raise Wrong(f"negative answers took {time.monotonic() - started:.1f} s")


def fetch(cluster):
    place = cluster.instance("acme", "my-frontend")
    command = ["curl", "-s", "--max-time", "3", f"http://my-database.internal:{WEB_PORT}/page.txt"]
    done = place.run(*command)
    cluster.tell(" ".join(command) + "          # in acme/my-frontend, region nrt; the database is in ord", done.stdout)
    expect((done.returncode, done.stdout), (0, page("acme", "my-database")), "the page")


def near_first(cluster):
    for app, region, nearest in (("my-frontend", "nrt", "nrt"), ("my-database", "ord", "ord"), ("my-worker", "dev", "ord")):
        place = cluster.instance("acme", app)
        text = place.out("getent", "ahosts", f"{APP}.internal")
        first = text.split()[0]
        cluster.tell(f"getent ahosts {APP}.internal | head -1          # in {region}", text.splitlines()[0])
        expect(first, next(a for _, r, a in ids(cluster, "acme", APP) if r == nearest), f"first address in {region}")
