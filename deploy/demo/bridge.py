"""bridge - an office and the server in it, joined by docs/use/bridge-a-network.md word by word: commands, rules and checks are read from
that page. Only its example addresses are replaced."""
import re

from fixture.cell import ROOT
from fixture.customer import LAN_SERVER
from fixture.cluster import wait_until

PAGE = ROOT / "docs/use/bridge-a-network.md"
PORT = 5432  # of the page's example
SAYS = "this is db.lan\n"


def page(place):
    """The page as its reader would have changed it."""
    prefix, network = place.peer["prefix"].split("/")[0], place.peer["dns"].removesuffix("::3")
    own = lambda match: prefix[:-2] + match.group(1)  # noqa: E731  the last two digits are the page's
    text = re.sub(r"fdaa:0:2a:a9a8:2:0:a:1([0-9a-f]{2})\b", own, PAGE.read_text())
    return text.replace("fdaa:0:2a::", f"{network}::")


def commands(text, title):
    """The indented lines of the section."""
    section = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", text, re.M | re.S).group(1)
    return [re.sub(r"\bsudo ", "", re.sub(r"\s{2,}#.*", "", line.strip())) for line in re.findall(r"^ {4}\S.*", section, re.M)]


def rules(text):
    return re.search(r"^```\n(table ip6 office .*?)^```", text, re.M | re.S).group(1)


def checks(text):
    """(where, command, what is expected) of the page's last table."""
    rows = re.findall(r"^\| (the machine|an instance) \| `([^`]+)` \| (.*) \|$", text, re.M)
    return [(where, command.removeprefix("sudo "), expected) for where, command, expected in rows]


def follow(told, place):
    """After `wg-quick up`. The machine has something open that is nobody's business."""
    text = page(place)
    place.behind = place.internet.behind(place, "db.lan", LAN_SERVER)
    place.behind.path("/run/says").write_text(SAYS)
    place.behind.spawn("server", "socat", f"TCP6-LISTEN:{PORT},fork,reuseaddr", "EXEC:cat /run/says")
    place.spawn("secret", "socat", "TCP6-LISTEN:22,fork,reuseaddr", "EXEC:echo nobody")
    place.write("office.nft", rules(text))
    ping = next(line for line in commands(text, "The machine becomes a peer") if line.startswith("ping"))
    place.here("sh", "-c", ping, check=True)
    for line in commands(text, "An IPv6 server, by NAT66"):
        place.here("sh", "-c", line, check=True)
        told.command(f"{line}          # on office", "")
    socat = "\n".join(commands(text, "A TCP service, by socat"))
    place.spawn("socat", "sh", "-c", socat)
    told.command(f"{socat.splitlines()[-1]} &          # on office", "")
    wait_until(lambda: f":{PORT}" in place.out("ss", "-ltn") and f":{PORT}" in place.behind.out("ss", "-ltn"), 10, "both servers listen")
