"""A peering rule between the two organizations: what it lets through, what it does not, and that it ends."""
from fixture.cluster import Instance
from fixture.judge import Judge

from .common import APP, KINDS, Wrong, both, expect, ids, notes
from .walls import nothing_crosses


def rule(cluster):
    shop, other = cluster.instance("globex", "widget-shop"), cluster.instance("globex", APP)
    base = cluster.instance("acme", "my-database")
    with Judge(cluster) as judge:
        before = nothing_crosses(cluster, judge, shop, [base])
        made = cluster.json("rule", "create", "--from", "globex/widget-shop", "--to", "acme/my-database", "--as", "database")
        try:
            in_force(cluster, judge, shop, base)
            nothing_crosses(cluster, judge, other, [base])  # another app of globex
        finally:
            cluster.sixpn("rule", "delete", made["id"], "--yes")
        after = nothing_crosses(cluster, judge, shop, [base])
        expect(shop.rcode("database.internal", "AAAA"), ("NXDOMAIN", 0), "the name after the rule has ended")
    notes.append(f"{before} packets before and {after} after it, 0 arrived")


def in_force(cluster, judge, shop, base):
    for kind in KINDS:
        if not judge.arrives(shop, base, 6, kind):
            raise Wrong(f"{kind} from {shop.name} does not reach {base.name}, though a rule lets it")
    expect(both(shop, "database.internal", "AAAA"), sorted(a for _, _, a in ids(cluster, "acme", "my-database")), "database.internal in globex")
    judge.listen(shop)
    sent = [(judge.send(base, base.address, shop.address, kind), kind) for kind in KINDS]  # it may answer, and not ask
    friend = next(Instance(cluster, i) for i in cluster.instances("globex", APP))
    if not judge.arrives(friend, shop, 6):
        raise Wrong(f"the control from {friend.name} does not reach {shop.name}: the capture proves nothing")
    for token, kind in sent:
        if judge.captures[shop.id].holds(token):
            raise Wrong(f"{kind} from {base.name} reached {shop.name}, though the rule lets only answers")


def dropped_on_the_way(cluster):
    """A firewall on the database's machine drops what comes from the shop."""
    shop, base = cluster.instance("globex", "widget-shop"), cluster.instance("acme", "my-database")
    base.cell.out("nft", "add table ip6 sabotage; add chain ip6 sabotage in { type filter hook prerouting priority 0; }; "
                         f"add rule ip6 sabotage in ip6 saddr {shop.address} ip6 daddr {base.address} drop")
    return lambda: base.cell.out("nft", "delete", "table", "ip6", "sabotage")
