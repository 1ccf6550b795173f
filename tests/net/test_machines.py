"""The Machines view on a real cluster, in flyctl's order of requests: an app is made, a machine run, waited for, reached, stopped, started,
restarted, changed and destroyed; a lease that was acknowledged outlives a controller that is killed."""
import json
import signal

from fixture.api import Api
from fixture.cluster import Instance, wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
CONFIG = {"image": "registry.example/ping:1", "init": {"exec": ["/bin/sleep", "100000"]}, "env": {"MODE": "blue"},
          "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}, "restart": {"policy": "no"}, "metadata": {"color": "red"}}


class Flyctl(Api):
    """Says that it is flyctl, and shows a nonce once it was given one."""

    nonce = None

    def say(self, method, path, body=None, status=200):
        headers = {"User-Agent": "flyctl/0.4.87 (interactive=false; parent=sh)", "Fly-Client-Interactive": "false"}
        if self.nonce:
            headers["fly-machine-lease-nonce"] = self.nonce
        self.http.request(method, path, json.dumps(body) if body is not None else None, headers)
        reply = self.http.getresponse()
        found = json.loads(reply.read())
        assert reply.status == status, (method, path, reply.status, found)
        return found

    def run(self, app, region, **more):
        return self.say("POST", f"/v1/apps/{app}/machines", {"config": {**CONFIG, **more}, "region": region, "skip_secrets": False,
                                                             "min_secrets_version": None})

    def wait(self, path, state):
        return self.say("GET", f"{path}/wait?state={state}&timeout=60")


def prepare(lab):
    lab.sixpn("org", "create", "acme")


def enter(lab, machine):
    return Instance(lab, next(i for i in lab.instances("acme") if i["id"] == machine["id"]))


def pings(place, address):
    return place.run("ping", "-c", "1", "-W", "2", address).returncode == 0


def test_a_machine_is_run_reached_stopped_started_restarted_and_destroyed(lab):
    fly = Flyctl(lab)
    fly.say("POST", "/v1/apps?wait=true", {"name": "web", "org_slug": "acme", "network": "", "app_role_id": ""}, status=201)
    asker, machine = fly.run("web", "ord"), fly.run("web", "nrt")
    path = f"/v1/apps/web/machines/{machine['id']}"
    for one in (asker, machine):
        fly.wait(f"/v1/apps/web/machines/{one['id']}", "started")
    found = fly.say("GET", path)
    assert found["state"] == "started" and found["host_status"] == "ok" and found["region"] == "nrt", found
    inside = enter(lab, asker)
    assert pings(inside, found["private_ip"]), "the address that the API says does not answer"
    assert found["private_ip"] in inside.dig("nrt.web.internal", "AAAA")  # the wait said that every node knows
    environment = enter(lab, found).out("sh", "-c", "tr '\\0' '\\n' < /proc/$(pgrep -n sleep)/environ").splitlines()
    assert "MODE=blue" in environment and "FLY_IMAGE_REF=registry.example/ping:1" in environment, environment

    fly.nonce = fly.say("POST", f"{path}/lease?ttl=120")["data"]["nonce"]
    fly.say("POST", f"{path}/stop", {"id": machine["id"], "timeout": "0s"})
    fly.wait(path, "stopped")
    assert fly.say("GET", path)["state"] == "stopped"
    assert not inside.dig("nrt.web.internal", "AAAA") and not pings(inside, found["private_ip"])
    assert fly.say("POST", f"{path}/start")["previous_state"] == "stopped"
    fly.wait(path, "started")
    assert pings(inside, found["private_ip"])
    fly.say("POST", f"{path}/restart?force_stop=false&timeout=5s")
    fly.wait(path, "started")
    assert pings(inside, found["private_ip"])

    changed = fly.say("POST", path, {"config": {**CONFIG, "env": {"MODE": "green"}}, "region": "nrt"})
    assert changed["instance_id"] != found["instance_id"] and changed["private_ip"] == found["private_ip"]
    fly.wait(path, "started")
    assert pings(inside, found["private_ip"])
    kinds = [e["type"] for e in fly.say("GET", f"{path}/events")]
    assert kinds[-1] == "launch" and {"start", "stop", "exit", "restart"} <= set(kinds), kinds

    fly.say("DELETE", f"{path}?kill=false", status=412)
    fly.say("DELETE", f"{path}?kill=true")
    fly.wait(path, "destroyed")
    assert "machine not found" in fly.say("GET", path, status=404)["error"]
    assert "lease not found" in fly.say("DELETE", f"{path}/lease", status=404)["error"]


def test_who_waits_for_what_cannot_run_is_told(lab):
    fly = Flyctl(lab)
    machine = fly.run("web", "ord", init={"exec": ["/no/such/program"]})
    told = fly.say("GET", f"/v1/apps/web/machines/{machine['id']}/wait?state=started&timeout=60", status=412)
    assert "machine failed to reach desired state" in told["error"], told


def test_a_machine_that_is_to_destroy_itself_is_gone_when_it_has_ended(lab):
    fly = Flyctl(lab)
    machine = fly.run("web", "ord", init={"exec": ["/bin/true"]}, auto_destroy=True)
    fly.wait(f"/v1/apps/web/machines/{machine['id']}", "destroyed")
    assert machine["id"] not in [i["id"] for i in lab.instances("acme")]


def test_a_lease_outlives_a_controller_that_is_killed(lab):
    fly = Flyctl(lab)
    machine = next(m for m in fly.say("GET", "/v1/apps/web/machines") if m["state"] == "started")
    path = f"/v1/apps/web/machines/{machine['id']}"
    nonce = fly.say("POST", f"{path}/lease?ttl=600")["data"]["nonce"]
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    lab.start_controller()
    wait_until(lab.ready, 30, "the nodes poll again")
    fly = Flyctl(lab)
    assert "currently held by" in fly.say("POST", f"{path}/stop", status=409)["error"]
    fly.nonce = nonce
    fly.say("POST", f"{path}/stop")
    fly.say("DELETE", f"{path}/lease")
