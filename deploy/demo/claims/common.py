"""What all claims share."""
import dataclasses
import re

APP = "fearsome-bagel-43"
KINDS = ("icmp", "udp", "tcp")
notes = []  # what a check wants to say beside PASS


@dataclasses.dataclass
class Row:
    name: str
    chapter: str
    claim: str
    check: object
    broken: str
    sabotage: object
    related: tuple = ()
    costly: str = ""  # seconds: asked with the sabotages of those with the same word, and with one other


class Wrong(Exception):
    pass


def expect(got, want, what):
    if got != want:
        raise Wrong(f"{what}: got {got!r}, want {want!r}")


def ids(cluster, org, app):
    return [(i["id"], i["region"], i["address"]) for i in cluster.instances(org, app)]


def both(place, name, kind):
    """The same question over UDP and TCP; the two must agree."""
    udp, tcp = sorted(place.dig(name, kind)), sorted(place.dig(name, kind, tcp=True))
    expect(tcp, udp, f"{name} {kind} over TCP and UDP")
    return udp


def joined(lines):
    return "".join(re.findall(r'"([^"]*)"', " ".join(lines)))
