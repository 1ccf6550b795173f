"""What a write that returned means: applied at every node, or the ones where it is not are named; and no name server gives an answer
that is older than a change that was acknowledged. TRIALS=n changes how often the last is tried, SECONDS=n how long at most."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from fixture.api import Api
from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("ord-2", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
TRIALS, SECONDS = int(os.environ.get("TRIALS", "10000")), float(os.environ.get("SECONDS", "240"))
PROBER = pathlib.Path(__file__).with_name("prober.py")


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "ord", "nrt"], SLEEPER)
    lab.settle()


def freeze(lab, name):
    lab.nodes[name].signal("sixpn-node", signal.SIGSTOP)


def thaw(lab, name):
    lab.nodes[name].signal("sixpn-node", signal.SIGCONT)
    wait_until(lab.ready, 20, f"{name} polls again")


def test_a_node_that_stands_still_is_named_within_the_deadline(lab):
    api = Api(lab)
    freeze(lab, "nrt-1")
    try:
        started = time.monotonic()
        status, version, body = api.ask("POST", "/v1/apps?wait=applied&timeout=1s", {"org": "acme", "name": "late"})
        assert status == 202 and body["applied"] is False, body
        assert body["laggards"] == ["nrt-1"] and body["unknown"] == [] and body["nodes"] == 3, body
        assert int(version) == body["v"]
        assert time.monotonic() - started < 10
        done = lab._run("app", "create", "later", "--org", "acme", "--wait=2s")
        assert done.returncode == 6 and "nrt-1" in done.stderr, (done.returncode, done.stderr)
        assert "is on 2 of 3 nodes, not yet on nrt-1" in done.stderr, done.stderr
        wait_until(lambda: lab.json("status")["nodes"][[n["name"] for n in lab.json("status")["nodes"]].index("nrt-1")]["state"]
                   == "unknown", 20, "three park times")
        done = lab._run("app", "create", "latest", "--org", "acme")
        assert done.returncode == 6 and "unknown: nrt-1" in done.stderr, (done.returncode, done.stderr)
        status, _, body = api.ask("POST", "/v1/apps?wait=applied&timeout=500ms&strict=1", {"org": "acme", "name": "strict"})
        assert status == 202 and body["unknown"] == ["nrt-1"], body
    finally:
        thaw(lab, "nrt-1")
    status, _, body = api.ask("GET", body["continue"])
    assert status == 200 and body["applied"] is True and body["unknown"] == [] == body["laggards"], body


def test_a_workload_that_a_host_cannot_run_is_told_with_its_key_and_the_rest_applies(lab):
    api = Api(lab)
    status, _, body = api.ask("POST", "/v1/instances?wait=applied&timeout=2s",
                              {"app": "acme/web", "host": "ord-1", "spec": {"schema": 1, "command": ["/bin/true"], "runtime": "hook"}})
    assert status == 202 and body["laggards"] == [] and body["counts"]["errors"] == 1, body
    assert body["errors"][0]["node"] == "ord-1" and body["errors"][0]["record"] == f"workload {body['id']}", body
    assert "hook" in body["errors"][0]["text"]
    done = lab._run("node", "errors", "ord-1")
    assert body["id"] in done.stdout, done.stdout
    status, _, other = api.ask("POST", "/v1/apps?wait=applied", {"org": "acme", "name": "good"})
    assert status == 201 and other["applied"] and other["errors"] == [], other
    lab.sixpn("instance", "delete", body["id"], "--yes", "--force")
    wait_until(lambda: all(n["n_errors"] == 0 for n in lab.json("status")["nodes"]), 20, "the error goes with its record")


class Prober:
    """The process that asks, one place per node."""

    def __init__(self, name, places):
        self.process = subprocess.Popen([sys.executable, PROBER, name, *[str(p.pid) for p in places]], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def judge(self, present, address):
        self.process.stdin.write(f"{int(present)} {address}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def places(lab, app):
    """Its record and place per node."""
    records = [r for r in lab.instances("acme", app) if r["observed"]["state"] == "started"]
    found = {r["host"]: lab.instance("acme", app, r["host"]) for r in records}
    assert sorted(found) == ["nrt-1", "ord-1", "ord-2"], "one instance on each node, to ask from"
    return records, found


def test_a_stop_or_start_that_returned_is_seen_by_all(lab):
    _, hosts = places(lab, "web")
    api, prober = Api(lab), Prober("shop.internal", hosts.values())
    api.ask("POST", "/v1/apps", {"org": "acme", "name": "shop"})
    status, _, made = api.ask("POST", "/v1/instances?wait=applied", {"app": "acme/shop", "host": "ord-2", "spec": SLEEPER})
    assert status == 201 and made["applied"] and made["observed"] == "started" and made["v_observed"] > made["v"], made
    assert prober.judge(True, made["address"]) == "ok"
    for _ in range(10):
        for verb, state in (("stop", "stopped"), ("start", "started"), ("stop", "stopped"), ("start", "started")):
            status, _, body = api.ask("POST", f"/v1/instances/{made['id']}/{verb}?wait=applied&timeout=20s")
            assert status == 200 and body["applied"] and body["observed"] == state and body["v_observed"] > body["v"], body
            assert ("withdrawn_ms" in body) == (verb == "stop"), body
            verdict = prober.judge(verb == "start", made["address"])
            assert verdict == "ok", (verb, body["v"], verdict)
    status, _, body = api.ask("DELETE", f"/v1/instances/{made['id']}?wait=applied&timeout=20s")
    assert status == 200 and body["applied"] and body["observed"] == "destroyed" and body["withdrawn_ms"] > 0, body
    assert prober.judge(False, made["address"]) == "ok"
    prober.end()


def test_no_name_server_is_older_than_an_acknowledged_change(lab):
    records, hosts = places(lab, "web")
    target, prober = records[0], Prober("web.internal", hosts.values())
    api, old, trials, started, writing = Api(lab), [], 0, time.monotonic(), 0.0
    while trials < TRIALS and time.monotonic() - started < SECONDS:
        skip = trials % 2 == 0
        began = time.monotonic()
        status, _, body = api.ask("PATCH", f"/v1/instances/{target['id']}?wait=applied&timeout=10s", {"dns_skip": skip})
        writing += time.monotonic() - began
        assert status == 200 and body["applied"] and not body["unknown"] and not body["errors"], body
        verdict = prober.judge(not skip, target["address"])
        if verdict != "ok":
            old.append(f"V {body['v']}: {verdict}")
        trials += 1
    prober.end()
    print(f"   {trials} acknowledged changes, {len(hosts)} name servers asked after each: {len(old)} old answers"
          f" ({1000 * writing / trials:.1f} ms per write)")
    assert not old, old[:5]
    assert trials == TRIALS or trials > 100


def test_what_a_full_map_refuses_is_told_with_its_key_and_all_else_applies(lab):
    """The map of who may speak, frozen: it takes nothing more, so not who speaks in a network for the first time. Last in this file, since a
    frozen map stays frozen."""
    api = Api(lab)
    for path, body in (("networks", {"org": "acme", "name": "frozen"}), ("apps", {"org": "acme", "name": "cold", "network": "frozen"}),
                       ("instances?wait=applied", {"app": "acme/cold", "host": "ord-1", "spec": SLEEPER})):
        assert api.ask("POST", f"/v1/{path}", body)[0] == 201, path
    pins = lab.nodes["ord-1"].out("find", "/sys/fs/bpf/sixpn", "-name", "*presence*").split()
    assert pins, "the map is pinned"
    for pin in pins:
        lab.nodes["ord-1"].out("/usr/sbin/bpftool", "map", "freeze", "pinned", pin)
    here = lab.instance("acme", "cold", "ord-1")
    status, _, body = api.ask("POST", "/v1/instances?wait=applied&timeout=10s", {"app": "acme/cold", "host": "nrt-1", "spec": SLEEPER})
    assert status == 201 and body["applied"] and body["observed"] == "started", body
    assert [(e["node"], e["record"]) for e in body["errors"]] == [("ord-1", f"instance {body['id']}")], body["errors"]
    assert "dropped here" in body["errors"][0]["text"]
    assert body["address"] in here.dig(f"{body['id']}.vm.cold.internal", "AAAA"), "its name is answered at that node all the same"
    done = lab._run("instance", "update", body["id"], "--metadata", "a=b")
    assert done.returncode == 7 and f"ord-1 could not apply instance {body['id']}" in done.stderr, (done.returncode, done.stderr)
    assert lab._run("status").returncode == 1, "degraded"
