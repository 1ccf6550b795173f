"""Other ways in: what flyctl does. The real one is not here; a stand-in that was written from its description alone asks in its stead."""
from fixture.flyctl import Agent
from fixture.flyctl.commands import on_machine
from scene import WEB_PORT, page

from .common import expect, ids, notes


def flyctl(cluster):
    """Its agent's tunnel speaks from the network address of the /120, which no file of ours has."""
    fly = on_machine(cluster, cluster.people["desk"])
    agent = Agent(fly, patience=10)
    try:
        agent.establish("acme", region="ord")
        want = sorted(a for _, _, a in ids(cluster, "acme", "my-database"))
        got = sorted(agent.dig("my-database.internal"))
        cluster.tell("flyctl dig my-database.internal -o acme --short          # on desk", "\n".join(got))
        expect(got, want, "flyctl dig")
        expect((agent.ping(), agent.ping("my-database.internal")), (3, 3), "flyctl ping: of the gateway, of the database")
        with agent.proxy("my-database", WEB_PORT) as connection:
            connection.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b""))
        cluster.tell(f"flyctl proxy {WEB_PORT} -a my-database & curl localhost:{WEB_PORT}/page.txt          # on desk", text.decode().split("\r\n\r\n")[-1])
        expect(text.decode().split("\r\n\r\n")[-1], page("acme", "my-database"), "what comes through flyctl proxy")
    finally:
        agent.down()
        if agent.peer:
            fly.wireguard_remove("acme", agent.peer["name"])
    notes.append(f"from {agent.source}")


def only_the_peers_own_address(cluster):
    """gw-ord lets peers speak from their own address only, not from the rest of their /120."""
    cell = cluster.nodes["gw-ord"]
    cell.out("nft", "add table ip6 sabotage; add chain ip6 sabotage in { type filter hook prerouting priority -310; }; "
                    "add rule ip6 sabotage in iifname sixpn-peers ip6 saddr & ::ff != ::2 drop")
    return lambda: cell.out("nft", "delete table ip6 sabotage")
