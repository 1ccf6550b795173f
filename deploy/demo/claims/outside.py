"""Names of the rest of the world, asked from inside instances; and what the world hears of ours: nothing."""
import ipaddress
import os
import random
import signal

from fixture.cluster import wait_until

from .common import APP, Wrong, both, expect, joined, notes


def outside_names(cluster):
    """New names each time: an answer from a cache would prove nothing."""
    word = f"demo-{random.getrandbits(40):010x}"
    first = True
    for org, app in (("acme", "my-frontend"), ("acme", "my-database")):
        place = cluster.instance(org, app)
        name = f"{word}.{place.host}.outside.example"
        expect(both(place, name, "AAAA"), ["2001:db8::80"], f"{name} from {org}/{app}")
        expect(both(place, name, "A"), ["192.0.2.80"], f"{name} A from {org}/{app}")
        if first:
            cluster.tell(f"dig +short {name} AAAA          # in {org}/{app}", "\n".join(place.dig(name, "AAAA")))
        first = False
    place = cluster.instance("acme", "my-frontend")
    expect(place.rcode(f"{word}.never-was.example", "AAAA"), ("NXDOMAIN", 0), "a name that the world does not know")
    text = joined(both(place, f"big-{word}.outside.example", "TXT"))
    expect(len(text), 3000, "octets of an answer that is too long for UDP")
    outside_hears(cluster, place, word)


def outside_hears(cluster, place, word):
    """Private names are asked, and the upstream has never been asked for any of them, by any machine."""
    reverse = ipaddress.ip_address(place.address).reverse_pointer
    for name, kind in ((f"{APP}.internal", "AAAA"), ("never-was.internal", "AAAA"), ("x.flycast", "AAAA"), (reverse, "PTR"),
                       ("1.0.0.10.in-addr.arpa", "PTR"), ("8.b.d.0.d.f.ip6.arpa", "PTR"), ("localhost", "A"), ("printer.local", "A"),
                       ("x.test", "A"), ("_dns.resolver.arpa", "SVCB"), ("use-application-dns.net", "A"), ("x.home.arpa", "A")):
        place.rcode(name, kind)
        place.rcode(name, kind, tcp=True)
    asked = [line.split() for line in cluster.outside_record().splitlines()]
    strange = sorted({name for _, name, kind in asked
                      if not name.endswith((".outside.example", ".never-was.example")) and (name, kind) != (".", "NS")})
    expect(strange, [], "what the upstream heard beside what it was to hear")
    ways = {way for way, name, _ in asked if word in name}
    if ways != {"udp", "tcp"}:
        raise Wrong(f"the upstream was asked by {sorted(ways)}, not by UDP and TCP")
    notes.append(f"{len(asked)} questions reached the upstream, none of them private")


def upstream_stopped(cluster):
    """The upstream says nothing any more."""
    pid = cluster.outside_pid()
    os.kill(pid, signal.SIGSTOP)

    def mend():
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: all(u["state"] != "silent" for n in cluster.nodes for u in cluster.node_status(n)["dns"]["forward"]["upstreams"]),
                   40, "the upstream has been heard again by every machine")
    return mend
