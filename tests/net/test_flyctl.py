"""The commands of flyctl against a cluster, asked by a stand-in that was written from the description of the real one alone
(fixture/flyctl): on a customer's machine, with the environment that `sixpn env --flyctl` gives and nothing else. A peer made this way
carries traffic; dig, ping and proxy go through the tunnel of its agent."""
import ipaddress
import re

from fixture.cluster import API_NAME, API_PORT, Instance, wait_until
from fixture.flyctl import Agent, Failed
from fixture.flyctl.commands import Commands, keys, on_machine
from fixture.flyctl.look_ups import organization, organizations, validate_peers

NODES = [("ord-1", "ord"), ("nrt-1", "nrt"), ("gw-ord", "ord"), ("gw-dev", "dev")]
GATEWAYS = {"gw-ord": "gateway", "gw-dev": "host,gateway"}
PAGE = {"schema": 1, "command": ["/bin/sh", "-c", "mkdir -p /tmp/page && cd /tmp/page && hostname > where && exec python3 -m http.server --bind :: 8080"],
        "drain_ms": 0}


def flyctl(lab, place, org, profile="admin"):
    place.log_in(lab.secret("token", "create", "--org", org, "--profile", profile, "--name", place.name), f"http://{API_NAME}:{API_PORT}")
    return on_machine(lab, place)


def prepare(lab):
    lab.deploy("acme", "my-database", ["ord", "nrt"], PAGE)
    lab.deploy("globex", "secret", ["ord"], PAGE)
    lab.settle()
    lab.desk = lab.internet.customer("desk")
    lab.fly = flyctl(lab, lab.desk, "acme")
    lab.spy = flyctl(lab, lab.internet.customer("spy"), "globex")


def refused(command, *args, **kw):
    """The sentence that flyctl prints."""
    try:
        command(*args, **kw)
    except Failed as error:
        assert error.text and "\n" not in error.text.strip() and not re.search(r"\bnull\b|internal|panic", error.text), error.text
        return error
    raise AssertionError(f"{command.__name__} {args} was not refused")


def file_of(peer):
    """Byte for byte what the client writes."""
    packed = ipaddress.IPv6Address(peer["peerip"]).packed
    net, dns = ipaddress.IPv6Address(packed[:6] + bytes(10)), ipaddress.IPv6Address(packed[:6] + bytes(9) + b"\x03")
    return (f"\n[Interface]\nPrivateKey = {peer['private']}\nAddress = {peer['peerip']}/120\nDNS = {dns}\n\n[Peer]\n"
            f"PublicKey = {peer['pubkey']}\nAllowedIPs = {net}/48\nEndpoint = {peer['endpointip']}:51820\nPersistentKeepalive = 15\n\n")


# ---- who, where

def test_auth_orgs_and_regions(lab):
    assert lab.fly.whoami()
    assert set(lab.fly.orgs_list()) == {"acme"}
    assert lab.fly.orgs_show("acme")["slug"] == "acme"
    regions = {r["code"]: r for r in lab.fly.platform_regions()["Regions"]}
    assert set(regions) == {"ord", "nrt", "dev"} and {c for c in regions if regions[c]["gateway_available"]} == {"dev", "ord"}
    assert {r["code"] for r in lab.fly.platform_by_graphql()} == set(regions)


def test_what_is_not_there_or_another_organizations_is_not_found(lab):
    """In one sentence and never as a null, which the client follows. Whether globex exists cannot be told."""
    there, nowhere = refused(lab.fly.wireguard_list, "globex"), refused(lab.fly.wireguard_list, "nobody")
    assert there.text.replace("globex", "X") == nowhere.text.replace("nobody", "X") and there.code == nowhere.code == "NOT_FOUND"
    assert "Could not find App" in refused(lab.fly.status, "no-such-app").text
    assert "Could not find App" in refused(lab.fly.status, "secret").text


def test_a_person_has_an_organization_of_its_own_and_makes_and_ends_others(lab):
    lab.sixpn("user", "create", "ann@example.net", "--name", "Ann")
    place = lab.internet.customer("anns")
    place.log_in(lab.secret("token", "create", "--kind", "user", "--user", "ann@example.net", "--name", "ann"),
                 f"http://{API_NAME}:{API_PORT}")
    fly = on_machine(lab, place)
    assert fly.whoami() == "ann@example.net"
    own = organization(fly.fly, "personal")
    assert own["slug"] == "personal" and own["rawSlug"] not in ("", "personal") and own["type"] == "PERSONAL"
    assert [o["type"] for o in organizations(fly.fly)] == ["PERSONAL"]
    made = fly.orgs_create("initech")
    assert made["type"] == "SHARED" and made["viewerRole"] == "admin", made
    assert "acme" in refused(fly.orgs_create, "acme").text
    members = fly.orgs_show(made["slug"])["members"]["edges"]
    assert [m["node"]["email"] for m in members] == ["ann@example.net"]
    fly.wireguard_create("personal", "ord", "anns-laptop")
    assert [p["name"] for p in fly.wireguard_list("personal")] == ["anns-laptop"]
    assert refused(lab.fly.wireguard_list, made["slug"]).code == "NOT_FOUND"
    lab.sixpn("org", "member", "create", "ann@example.net", "--org", "acme", "--role", "read")
    assert {"acme", "initech"} <= set(fly.orgs_list())
    assert refused(fly.wireguard_create, "acme", "ord", "anns-second"), "read is not enough"
    lab.sixpn("org", "member", "delete", "ann@example.net", "--org", "acme", "--yes")
    assert refused(fly.wireguard_list, "acme").code == "NOT_FOUND"
    fly.orgs_delete(made["slug"])
    assert made["slug"] not in fly.orgs_list()


# ---- peers

def test_a_peer_carries_traffic_with_the_file_that_flyctl_writes(lab):
    peer = lab.fly.wireguard_create("acme", "ord", "laptop")
    assert [p for p in lab.fly.wireguard_list("acme") if p["name"] == "laptop"][0]["peerip"] == peer["peerip"]
    desk = lab.desk
    desk.out("sh", "-c", "printf '#!/bin/sh\\nexit 0\\n' > /usr/sbin/resolvconf && chmod +x /usr/sbin/resolvconf")  # its DNS line is not at stake
    desk.write("fly0.conf", file_of(peer))
    desk.wg_quick("up", "fly0.conf")
    dns = re.search(r"DNS = (\S+)", file_of(peer)).group(1)
    try:
        wait_until(lambda: desk.dig("my-database.internal", "AAAA", server=dns), 20, "names by the new peer")
        for address in desk.dig("my-database.internal", "AAAA", server=dns):
            where = desk.out("curl", "-s", "--max-time", "15", f"http://[{address}]:8080/where", timeout=30)
            assert where in (i["id"] for i in lab.instances("acme", "my-database")) or where, where
        status = lab.fly.gateway_status("acme", "laptop")
        assert {"endpoint", "lasthandshake", "rx", "tx", "live"} <= set(status), status
        target = lab.instance("globex", "secret").address
        assert desk.run("curl", "-s", "--max-time", "2", f"http://[{target}]:8080/where").returncode != 0
    finally:
        desk.wg_quick("down", "fly0.conf")


def test_peers_are_made_without_a_name_or_a_region_and_in_another_network(lab):
    lab.sixpn("network", "create", "side", "--org", "acme")
    peer = lab.fly.wireguard_create("acme")
    assert lab.fly.wireguard_list()[0]["peerip"], "without an organization: the one of FLY_ORG"
    other = lab.fly.wireguard_create("acme", "dev", "side-laptop", network="side")
    assert other["peerip"].split(":")[:3] != peer["peerip"].split(":")[:3], "another network has another prefix"
    far = lab.fly.wireguard_create("acme", "nrt", "far")  # no gateway there: the nearest
    assert far["endpointip"]
    for name in (peer["name"], "side-laptop", "far"):
        lab.fly.wireguard_remove("acme", name)
    assert not {peer["name"], "side-laptop", "far"} & {p["name"] for p in lab.fly.wireguard_list("acme")}


def test_what_is_wrong_with_a_peer_is_said(lab):
    for name, region, network in (("laptop", "ord", None), ("two", "xxx", None), ("two", "ord", "no-such"), ("-two", "ord", None),
                                  ("tw\\o", "ord", None)):
        refused(lab.fly.wireguard_create, "acme", region, name, network)
    assert "two" not in {p["name"] for p in lab.fly.wireguard_list("acme")}
    refused(lab.fly.wireguard_remove, "acme", "nobody")
    assert "laptop" in refused(lab.spy.wireguard_remove, "globex", "laptop").text  # acme's, and no peer of globex


# ---- the agent: dig, ping, proxy

def test_dig_ping_and_proxy_go_through_the_agents_tunnel(lab):
    agent = Agent(lab.fly)
    agent.establish("acme")
    try:
        addresses = agent.dig("my-database.internal")
        assert sorted(addresses) == sorted(i["address"] for i in lab.instances("acme", "my-database"))
        assert set(agent.dig("regions.my-database.internal", "TXT")[0].split(",")) == {"ord", "nrt"}
        assert agent.dig("_apps.internal", "TXT")[0].split(",") == ["my-database"]
        assert agent.dig("my-database.internal", "A") == []
        assert "NXDOMAIN" in refused(agent.dig, "secret.internal").text
        assert "interactive" not in "".join(agent.dig("_peer.internal", "TXT"))
        assert agent.ping() == agent.ping("my-database.internal") == agent.ping(addresses[0]) == 3
        with agent.proxy("my-database", 8080) as connection:
            connection.sendall(b"GET /where HTTP/1.0\r\n\r\n")
            text = b""
            while part := connection.recv(65536):
                text += part
        assert text.startswith(b"HTTP/1.0 200")
        with agent.proxy("my-database", 8080, host="nrt.my-database.internal"):
            pass
        assert sorted(agent.instances("my-database")) == sorted(addresses)
        assert agent.ping(lab.instance("globex", "secret").address, count=1, wait=1) == 0
        instance = Instance(lab, lab.instances("acme", "my-database")[0])
        assert instance.run("ping", "-6", "-n", "-c3", "-W10", agent.source).returncode == 0, "an instance reaches it at its network address"
    finally:
        agent.down()
        lab.fly.wireguard_remove("acme", agent.peer["name"])
    assert validate_peers(lab.fly.fly, [agent.peer["peerip"]]) == [agent.peer["peerip"]], "or the client would use it for ever"


# ---- apps, machines, addresses

def test_apps_are_made_listed_and_destroyed(lab):
    lab.fly.apps_create("shop", "acme")
    taken = refused(lab.fly.apps_create, "shop", "acme")
    assert taken.status == 422 and taken.word == "name_taken", (taken.status, taken.word)
    lab.fly.apps_create("edge", "acme", network="side", as_json=True)
    assert {"shop", "edge", "my-database"} <= {a["name"] for a in lab.fly.apps_list("acme")}
    listed = lab.fly.apps_by_rest("acme")
    assert listed["total_apps"] == len(listed["apps"]) and {a["name"]: a["network"] for a in listed["apps"]}["edge"] == "side"
    assert {a["name"]: a["network"] or "" for a in lab.fly.apps_list()}["edge"] == "side"
    assert not {a["name"] for a in lab.spy.apps_list()} & {"shop", "edge", "my-database"}
    assert refused(lab.spy.apps_destroy, "shop").code == "NOT_FOUND"
    lab.fly.apps_destroy("edge")
    assert "edge" not in {a["name"] for a in lab.fly.apps_list("acme")}


def test_a_machine_lives_its_life(lab):
    fly, machine = lab.fly, lab.fly.machine
    made = machine.run("shop", image="registry-1.example/page:1", region="nrt", name="first",
                       config={"init": {"cmd": PAGE["command"]}}, metadata={"fly_platform_version": "v2", "role": "front"})
    key, seen = made["id"], machine.get("shop", made["id"])
    assert seen["state"] == "started" and seen["region"] == "nrt" and seen["name"] == "first" and seen["config"]["metadata"]["role"] == "front"
    assert fly.ips_private("shop") == [seen["private_ip"]] and fly.regions_list("shop") == ["nrt"]
    compact, shown = fly.status("shop")
    assert compact["name"] == "shop" and [m["id"] for m in shown] == [key]
    database = Instance(lab, lab.instances("acme", "my-database")[0])
    wait_until(lambda: database.dig("shop.internal", "AAAA") == [seen["private_ip"]], 20, "its name")
    assert database.run("ping", "-6", "-n", "-c3", "-W10", seen["private_ip"]).returncode == 0
    machine.set_metadata("shop", key, "colour", "blue")
    assert machine.metadata("shop", key)["colour"] == "blue"
    machine.remove_metadata("shop", key, "colour")
    assert "colour" not in machine.metadata("shop", key)
    machine.cordon("shop", key)
    assert machine.get("shop", key).get("cordoned") is True
    machine.uncordon("shop", key)
    machine.restart("shop", key)
    machine.wait("shop", machine.get("shop", key), "started")
    machine.stop("shop", key)
    stopped = machine.get("shop", key)
    machine.wait("shop", stopped, "stopped")
    wait_until(lambda: database.dig("shop.internal", "AAAA") == [], 20, "its name is gone")
    assert machine.start("shop", key)["previous_state"] == "stopped"
    machine.wait("shop", machine.get("shop", key), "started")
    assert machine.get("shop", key)["private_ip"] == seen["private_ip"], "an address is for life"
    assert "stop it first" in refused(machine.destroy, "shop", key).text
    machine.destroy("shop", key, force=True)
    wait_until(lambda: key not in {m["id"] for m in machine.platform("shop")}, 20, "destroyed")


def test_machines_without_an_image_and_without_a_start(lab):
    machine = lab.fly.machine
    made = machine.run("shop", config={"containers": [{"name": "app", "image": "page", "cmd": PAGE["command"]}]}, region="ord", launch=False,
                       name="later")
    assert machine.get("shop", made["id"])["state"] in ("created", "stopped")
    assert machine.get("shop", made["id"])["config"]["containers"][0]["image"] == "page", "what was given is shown"
    machine.destroy("shop", made["id"], force=True)


def test_machines_of_others_are_not_there(lab):
    mine, theirs = lab.fly.machine, lab.spy.machine
    record = lab.instances("acme", "my-database")[0]
    assert {m["id"] for m in mine.list("my-database")} == {i["id"] for i in lab.instances("acme", "my-database")}
    assert refused(theirs.list, "my-database").status == 404
    for call in (theirs.get, theirs.stop, theirs.destroy, theirs.cordon, theirs.metadata):
        assert refused(call, "my-database", record["id"]).status == 404
    assert refused(theirs.get, "secret", record["id"]).status == 404, "by an app of its own"
    lease = mine.fly.flaps("POST", mine.path("my-database", record["id"], "/lease?ttl=30"), {}, {"data": {"nonce": "string"}})["data"]["nonce"]
    assert refused(mine.stop, "my-database", record["id"]).status == 409, "somebody else holds the lease"
    mine.fly.flaps("DELETE", mine.path("my-database", record["id"], "/lease"), headers={"fly-machine-lease-nonce": lease})


def test_a_flycast_address_is_reserved_named_and_released(lab):
    made = lab.fly.ips_allocate("shop")
    assert re.fullmatch(r"fdaa:[0-9a-f]+:[0-9a-f]+:0:1::[0-9a-f]+", made["address"]) and made["type"] == "private_v6", made
    assert [a["address"] for a in lab.fly.ips_list("shop")] == [a["ip"] for a in lab.fly.assignments("shop")] == [made["address"]]
    database = Instance(lab, lab.instances("acme", "my-database")[0])
    wait_until(lambda: database.dig("shop.flycast", "AAAA") == [made["address"]], 20, "its name")
    assert lab.instance("globex", "secret").dig("shop.flycast", "AAAA") == []
    lab.fly.ips_release("shop", made["address"])
    assert lab.fly.ips_list("shop") == []
    wait_until(lambda: database.dig("shop.flycast", "AAAA") == [], 20, "its name is gone")
    for kind in ("v4", "v6", "shared_v4"):
        refused(lab.fly.ips_allocate, "shop", kind)


# ---- tokens for peers

def test_a_delegated_token_makes_peers_and_touches_no_others(lab):
    token = lab.fly.delegated_create("acme", "cluster")
    assert "cluster" in lab.fly.delegated_list("acme")
    made = lab.fly.token_peer(token, "POST", "", {"name": "k8s-1", "group": "k8s", "pubkey": keys()[1], "region": "ord"})
    again = lab.fly.token_peer(token, "PUT", "/k8s-1", {"pubkey": keys()[1], "name": "", "group": "", "region": ""})
    assert again["us"] == made["us"] and again["key"] == again["pubkey"] == made["key"]
    refused(lab.fly.token_peer, token, "PUT", "/laptop", {"pubkey": keys()[1], "name": "", "group": "", "region": ""})
    assert "laptop" in {p["name"] for p in lab.fly.wireguard_list("acme")}
    refused(Commands(lab.fly.with_token(token)).wireguard_remove, "acme", "laptop")
    lab.fly.delegated_delete("acme", name="cluster")
    refused(lab.fly.token_peer, token, "POST", "", {"name": "k8s-2", "group": "k8s", "pubkey": keys()[1], "region": "ord"})
    assert "k8s-1" in {p["name"] for p in lab.fly.wireguard_list("acme")}, "what it made stays"
