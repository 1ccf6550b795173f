"""What becomes of people's tunnels when peers, keys, gateways and daemons come and go. (Who may send what to whom: test_pairs. What a
gateway makes of strange packets and records: test_gateway.) STORM=n changes how many peers the storm makes, SECONDS=n how long at most."""
import base64
import http.client
import json
import os
import signal
import threading
import time

from fixture.api import Api
from fixture.attack import Attack
from fixture.cell import BUILD, Place
from fixture.cluster import API_NAME, API_PORT, Instance, wait_until
from fixture.judge import Judge
from fixture.visitor import Refused, Visitor, keys

NODES = [("ord-1", "ord"), ("nrt-1", "nrt"), ("gw-ord", "ord"), ("dev-1", "dev")]
GATEWAYS = {"gw-ord": "gateway", "dev-1": "host,gateway"}
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
STORM, SECONDS = int(os.environ.get("STORM", "10000")), float(os.environ.get("SECONDS", "24"))
DEVICE, FLOOD, PATIENCE = "sixpn-peers", BUILD / "tests/net/flood", 15


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt", "dev"], SLEEPER)
    lab.deploy("globex", "web", ["ord"], SLEEPER)
    lab.settle()
    lab.sixpn("org", "update", "acme", "--limit", f"peers={STORM + 100}")
    lab.peers = {key: Visitor(lab, lab.internet.customer("-".join(key)), org=key[0], name=key[1], region=region).up()
                 for key, region in ((("acme", "laptop"), "ord"), (("acme", "phone"), "dev"), (("globex", "laptop"), "ord"))}


def keys_at(lab, name):
    return set(lab.nodes[name].out("wg", "show", DEVICE, "peers").split())


def answers(place, address, tries=1):
    return place.run("ping", "-6", "-n", f"-c{tries}", "-i0.1", "-W0.7", address).returncode == 0


def reached(place, address, what):
    """A handshake may come first, and one that is lost is tried again after 5 s."""
    wait_until(lambda: answers(place, address), PATIENCE, what)


class Pings:
    """Echo requests, fifty a second, while something else happens; lost() of them got no answer within ten seconds."""

    def __init__(self, place, address):
        self.process = place.popen(FLOOD, address, "50", "10", stdout=-1, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.poll() is None and self.stop()

    def stop(self):
        for pid in children(self.process.pid):
            os.kill(pid, signal.SIGTERM)
        return self.process.communicate(timeout=30)[0]  # after the last answer

    def lost(self):
        result = json.loads(self.stop())
        return result["sent"], result["lost"]


class Holder(Visitor):
    """What has a delegated token and nothing else makes its peer by two requests, and writes its file of what they answer."""

    def __init__(self, lab, cell, token, name, region):
        Place.__init__(self, f"holder/{name}", cell.pid, cell.namespaces)
        self.cluster, self.cell, self.token, self.name_there = lab, cell, token, name
        self.take("POST", "", {"name": name, "group": "k8s", "region": region})

    def ask(self, method, path, body):
        api = http.client.HTTPConnection(self.cluster.internet.address_of(API_NAME), API_PORT, timeout=60)
        self.call(api.connect)
        api.request(method, path, json.dumps(body), {"Authorization": f"Bearer {self.token}", "Host": API_NAME, "Content-Type": "application/json"})
        reply = api.getresponse()
        return reply.status, json.loads(reply.read())

    def take(self, method, path, body):
        self.private, self.public = keys()
        status, reply = self.ask(method, f"/api/v3/wire_guard_peers{path}", {**body, "pubkey": self.public})
        assert (status, reply["error"]) == (200, ""), (status, reply)
        self.address = reply["us"]
        self.record = {"gateway_public_key": reply["key"], "endpoint": f"{reply['them']}:51820"}


def graphql(lab, query, **fields):
    _, _, reply = Api(lab).ask("POST", "/graphql", {"query": query, "variables": {"input": fields}})
    assert "errors" not in reply, reply
    return reply["data"]


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()] or [pid]


def test_a_peer_made_with_a_delegated_token_carries_traffic_and_outlives_it(lab):
    cell = lab.internet.customer("holder")
    make = "mutation($input: CreateDelegatedWireGuardTokenInput!) { createDelegatedWireGuardToken(input: $input) { token } }"
    end = "mutation($input: DeleteDelegatedWireGuardTokenInput!) { deleteDelegatedWireGuardToken(input: $input) { token } }"
    token = graphql(lab, make, organizationId="acme", name="k8s")["createDelegatedWireGuardToken"]["token"]
    peer = Holder(lab, cell, token, "k8s-1", "ord").up()
    inside = Instance(lab, lab.instances("acme")[0]).address
    reached(peer, inside, "by what the reply says")
    address = peer.address
    peer.take("PUT", "/k8s-1", {"name": "", "group": "", "region": ""})
    assert peer.address == address
    reached(peer.up(), inside, "with another key")
    status, reply = peer.ask("PUT", "/api/v3/wire_guard_peers/laptop", {"pubkey": keys()[1]})
    assert status == 403 and reply["error"], reply  # which was made by somebody else
    graphql(lab, end, organizationId="acme", name="k8s")
    assert peer.ask("PUT", "/api/v3/wire_guard_peers/k8s-1", {"pubkey": keys()[1]})[0] == 401
    reached(peer, inside, "after its token")
    peer.down()


def test_a_peer_reaches_its_network_from_either_gateway_and_is_reached(lab):
    for key, peer in lab.peers.items():
        for record in lab.instances(key[0]):
            instance = Instance(lab, record)
            reached(peer, instance.address, f"{peer.name} to {instance.name}")
            reached(instance, peer.address, f"{instance.name} to {peer.name}")
    reached(lab.peers["acme", "laptop"], lab.peers["acme", "phone"].address, "peer to peer")


def test_wireguard_killed_on_a_gateway_comes_back_with_every_peer(lab):
    """And while it is away nobody speaks for anybody: what globex sends meanwhile reaches no instance of acme."""
    peer, evil, cell = lab.peers["acme", "laptop"], lab.peers["globex", "laptop"], lab.nodes["gw-ord"]
    before = keys_at(lab, "gw-ord")
    target = lab.instance("acme", "web", "ord-1")
    wait_until(lambda: Api(lab).ask("GET", "/v1/peers/laptop/status?org=acme")[2]["state"] == "online", 20, "the gateway knows where it is")
    started = time.monotonic()
    with Judge(lab) as judge, Attack(judge, [evil], target) as attack:
        for pid in [outer for outer, _, command in cell.inner_pids() if "wireguard-go" in command and DEVICE in command]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: answers(target, peer.address), 30, "the laptop is reached again, and it did nothing")
        print(f"   reached again after {time.monotonic() - started:.1f} s")
        assert keys_at(lab, "gw-ord") == before
        attack.over.set()
        assert judge.arrives(peer, target, 5)
        assert attack.tokens and attack.crossed() == 0
    assert wait_until(lambda: answers(evil, lab.instance("globex", "web").address), 30, "the other peer of this gateway too")


def test_the_death_of_the_daemon_costs_a_live_peer_no_packet(lab):
    peer = lab.peers["acme", "laptop"]
    with Pings(peer, lab.instance("acme", "web", "nrt-1").address) as pings:
        for number in (signal.SIGKILL, signal.SIGTERM):
            lab.restart_node("gw-ord", number)
        sent, lost = pings.lost()
    assert sent > 10 and lost == 0, (sent, lost)
    print(f"   {sent} echo requests, {lost} lost")


def test_a_deleted_peer_is_dead_everywhere_when_the_delete_returns(lab):
    api, machine = Api(lab), lab.internet.customer("gone")
    peer = Visitor(lab, machine, org="acme", name="gone", region="dev").up()
    askers = [Instance(lab, record) for record in lab.instances("acme")]
    reached(peer, peer.record["dns"], "the peer that will be deleted reaches its ::3")
    for asker in askers:
        assert asker.dig("gone._peer.internal", "AAAA") == [peer.address], asker.name
    status, _, body = api.ask("DELETE", "/v1/peers/gone?org=acme&wait=applied")
    assert status == 200 and body["applied"], body
    assert peer.public not in keys_at(lab, "dev-1")
    assert not answers(peer, peer.record["dns"])
    for asker in askers:
        assert asker.rcode("gone._peer.internal", "AAAA") == ("NXDOMAIN", 0), asker.name
    assert api.ask("GET", "/v1/peers/gone?org=acme")[0] == 404


def test_a_new_key_is_dead_for_the_old_owner_and_keeps_the_address(lab):
    api, machine = Api(lab), lab.internet.customer("rekeyed")
    peer = Visitor(lab, machine, org="acme", name="rekeyed", region="ord").up()
    reached(peer, peer.record["dns"], "the first key opens the tunnel")
    old, others = peer.private, keys_at(lab, "gw-ord") - {peer.public}
    with Pings(lab.peers["acme", "laptop"], lab.instance("acme", "web", "ord-1").address) as pings:
        peer.rekey()
        assert not answers(peer, peer.record["dns"]), "the old key still opens the tunnel"
        assert keys_at(lab, "gw-ord") == others | {peer.public}
        peer.up()
        reached(peer, peer.record["dns"], "the new key opens the tunnel")
        peer.up(private=old)
        assert not answers(peer, peer.record["dns"]), "the old key opens it again"
        sent, lost = pings.lost()
    assert lost == 0, f"another peer of the gateway lost {lost} of {sent}"
    api.ask("DELETE", "/v1/peers/rekeyed?org=acme&wait=applied")


def test_a_gateway_that_falls_silent_between_placement_and_apply_leaves_no_half_made_peer(lab):
    """It stands still, and the controller does not know yet: whatever the answer is, name, key and gateway agree with it."""
    cell, machine = lab.nodes["gw-ord"], lab.internet.customer("half")
    cell.signal("sixpn-node", signal.SIGSTOP)
    try:
        status, body, peer = attempt(lab, machine, {"org": "acme", "name": "half", "region": "ord"})
        print(f"   POST: {status} " + (f"via {body['gateway']}, {body['warnings']}" if peer else body["error"]["code"]))
        there, _, shown = Api(lab).ask("GET", "/v1/peers/half?org=acme")
        if peer and body["applied"]:
            assert (there, shown["gateway"], body["gateway"]) == (200, "dev-1", "dev-1"), (shown, body)
            assert body["warnings"], "another region than asked for, and nobody says so"
            reached(peer.up(), lab.instance("acme", "web", "dev-1").address, "the peer works where it ended")
        else:
            assert there == 404, (status, body, shown)
        fixed = attempt(lab, machine, {"org": "acme", "name": "fixed", "gateway": "gw-ord"})
        assert fixed[0] >= 400 and fixed[1]["error"]["code"] in ("gateway_not_live", "no_gateway"), fixed
        assert Api(lab).ask("GET", "/v1/peers/fixed?org=acme")[0] == 404
    finally:
        cell.signal("sixpn-node", signal.SIGCONT)
        wait_until(lab.ready, 30, "gw-ord polls again")
    listed = {p["public_key"] for p in Api(lab).ask("GET", "/v1/peers?gateway=gw-ord")[2]["items"]}
    wait_until(lambda: keys_at(lab, "gw-ord") == listed, 10, "gw-ord has exactly the peers that are said to be there")
    Api(lab).ask("DELETE", "/v1/peers/half?org=acme&wait=applied")


def attempt(lab, machine, wanted):
    """(status, body, the peer or None)"""
    try:
        peer = Visitor(lab, machine, **wanted)
        return peer.status, peer.record, peer
    except Refused as refused:
        return refused.status, refused.body, None


def public_key():
    """A number that may be a point of the curve; nobody has its private key."""
    raw = bytearray(os.urandom(32))
    raw[31] &= 0x3F
    return base64.b64encode(raw).decode()


def storm(lab, count, seconds, work):
    """work(api, number) for 0..count-1 by several at once, until it is done or the time is over; how many were done."""
    end, numbers, done, lock = time.monotonic() + seconds, iter(range(count)), [], threading.Lock()

    def worker():
        api = Api(lab)
        while time.monotonic() < end:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            work(api, number)
            done.append(number)

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(done)


def test_a_storm_of_peers_comes_and_goes_and_a_live_one_notices_nothing(lab):
    peer, target = lab.peers["acme", "laptop"], lab.instance("acme", "web", "nrt-1").address
    before, refused = keys_at(lab, "gw-ord"), []

    def create(api, number):
        status, _, body = api.ask("POST", "/v1/peers", {"org": "acme", "name": f"storm-{number}", "region": "ord", "public_key": public_key()})
        if status != 201:
            refused.append((status, body))

    def delete(api, number):
        status, _, body = api.ask("DELETE", f"/v1/peers/storm-{number}?org=acme")
        if status != 200:
            refused.append((status, body))

    with Pings(peer, target) as pings:
        started = time.monotonic()
        made = storm(lab, STORM, SECONDS / 2, create)
        created = time.monotonic() - started
        assert not refused, refused[:3]
        wait_until(lambda: len(keys_at(lab, "gw-ord")) == len(before) + len(made), 60, "the gateway has them all")
        applied = time.monotonic() - started
        assert before < keys_at(lab, "gw-ord")
        started = time.monotonic()
        storm(lab, len(made), 120, lambda api, n: delete(api, made[n]))
        assert not refused, refused[:3]
        wait_until(lambda: keys_at(lab, "gw-ord") == before, 60, "and none of them any more")
        deleted = time.monotonic() - started
        sent, lost = pings.lost()
    print(f"   {len(made)} peers made in {created:.1f} s, all at the gateway after {applied:.1f} s; deleted and gone there after {deleted:.1f} s; "
          f"the live peer lost {lost} of {sent} echo requests")
    assert lost == 0, (sent, lost)
    wait_until(lab.ready, 20, "all ready")
