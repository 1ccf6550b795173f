"""What can be seen: the pages of both daemons are read by a strict reader and hold true numbers; the controller's holds the nodes'."""
import http.client
import json
import re
import subprocess
import sys
import time

from fixture.cell import ROOT
from fixture.cluster import wait_until

sys.path.insert(0, str(ROOT / "tests/lib"))
import exposition  # noqa: E402

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SPEC = {"schema": 1, "command": ["/bin/sleep", "1000000"]}
RULES = ROOT / "deploy/monitoring/rules.yml"


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SPEC)
    lab.settle()


def get(cell, host, port, path="/metrics", headers=None, timeout=10):
    def ask():
        c = http.client.HTTPConnection(host, port, timeout=timeout)
        c.request("GET", path, headers=headers or {})
        r = c.getresponse()
        return r.status, r.getheader("Content-Type"), r.read().decode()
    return cell.call(ask)


def page(cell, host, port):
    status, kind, text = get(cell, host, port)
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    return exposition.parse(text)


def of_controller(lab):
    return page(lab.controller, "127.0.0.1", 4280)


def of_node(lab, name):
    return page(lab.nodes[name], "::1", 4282)


def test_the_reader_itself_refuses_what_is_wrong(lab):
    subprocess.run([sys.executable, ROOT / "tests/lib/test_exposition.py"], check=True, stdout=subprocess.DEVNULL)


def test_both_pages_hold_true_numbers(lab):
    here, there = lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")
    before = of_node(lab, "ord-1")
    assert here.run("ping", "-6", "-c1", "-W5", "-n", there.address).returncode == 0
    assert here.dig("nrt.web.internal", "AAAA") == [there.address]
    assert here.rcode("nobody.internal", "AAAA")[0] == "NXDOMAIN"
    s = here.socket(10, 3, 58)  # AF_INET6, SOCK_RAW, ICMPv6: to another network, which is dropped and counted
    foreign = re.sub(r"^fdaa:[0-9a-f]*:[0-9a-f]*", "fdaa:7777:7777", there.address)
    s.sendto(b"\x80\0\0\0\0\0\0\0", (foreign, 0))
    s.close()
    after = of_node(lab, "ord-1")

    def grown(name, **labels):
        return exposition.value(after, name, node="ord-1", **labels) - exposition.value(before, name, node="ord-1", **labels)

    assert grown("sixpn_dns_answers_total", zone="internal", rcode="NOERROR", transport="udp") >= 1
    assert grown("sixpn_dns_answers_total", zone="internal", rcode="NXDOMAIN", transport="udp") == 1
    assert grown("sixpn_bpf_drops_total", reason="destination_network") == 1
    assert grown("sixpn_bpf_drops_total", reason="source_foreign") == 0
    assert exposition.value(after, "sixpn_mesh_peers", state="up") == 1
    assert exposition.value(after, "sixpn_node_synced") == 1

    lab.sixpn("region", "create", "fra")  # a change that concerns all
    lab.sixpn("region", "delete", "fra", "--yes")
    own, whole = of_node(lab, "ord-1"), of_controller(lab)
    head = exposition.value(whole, "sixpn_log_version")
    assert exposition.value(own, "sixpn_node_applied_version") == head
    assert exposition.value(own, "sixpn_node_journal_write_seconds_count") > 0
    assert exposition.value(own, "sixpn_commit_to_applied_seconds_count") > 0
    for name in lab.nodes:
        assert exposition.value(whole, "sixpn_node_ready", node=name) == 1
        assert exposition.value(whole, "sixpn_node_lag_versions", node=name) == 0
        assert exposition.value(whole, "sixpn_commit_to_applied_seconds_count", node=name) > 0
    assert exposition.value(whole, "sixpn_link_polls_parked") == len(lab.nodes)
    assert exposition.value(whole, "sixpn_store_commit_seconds_count") > 0
    assert exposition.value(whole, "sixpn_http_requests_total", method="POST", route="/v1/regions", code="201") >= 1
    assert "acme" not in get(lab.controller, "127.0.0.1", 4280)[2], "a name of a customer's making is in a label"


def test_the_controller_exports_what_nodes_say(lab):
    """Without asking them: it came with their polls."""
    own = of_node(lab, "ord-1")
    drops = exposition.value(own, "sixpn_bpf_drops_total", reason="destination_network")
    wait_until(lambda: exposition.value(of_controller(lab), "sixpn_bpf_drops_total", node="ord-1", reason="destination_network") >= drops, 40,
               "the node's drops at the controller")
    whole = of_controller(lab)
    for family in own:  # what both export has one meaning, so one type and the same labels
        if family in whole:
            assert own[family]["type"] == whole[family]["type"], family
            assert set(own[family]["samples"][0][1]) == set(whole[family]["samples"][0][1]), family
    own = of_node(lab, "ord-1")
    also_here = [f for f in own if f in whole and own[f]["type"] != "histogram"]
    assert len(also_here) >= 15, also_here
    for family in also_here:  # nothing is cut off on the way
        series = {tuple(sorted(labels.items())) for _, labels, _ in own[family]["samples"]}
        there = {tuple(sorted(labels.items())) for _, labels, _ in whole[family]["samples"]}
        assert series <= there, (family, series - there)
    for name in lab.nodes:
        assert exposition.value(whole, "sixpn_dns_networks", node=name) >= 1
        assert exposition.value(whole, "sixpn_node_health_left_out_total", node=name) == 0


def test_the_age_of_the_newest_backup_can_be_told(lab):
    assert exposition.value(of_controller(lab), "sixpn_backup_last_success_timestamp_seconds") == 0
    lab.sixpn("backup", "create")
    assert abs(exposition.value(of_controller(lab), "sixpn_backup_last_success_timestamp_seconds") - time.time()) < 600


def test_a_stopped_node_is_seen(lab):
    lab.stop_node("nrt-1")
    lab.sixpn("region", "create", "dub", "--no-wait")
    wait_until(lambda: exposition.value(of_controller(lab), "sixpn_node_ready", node="nrt-1") == 0, 30, "nrt-1 is not ready")
    assert exposition.value(of_controller(lab), "sixpn_node_lag_versions", node="nrt-1") >= 1
    assert exposition.value(of_controller(lab), "sixpn_node_lag_seconds", node="nrt-1") > 0
    lab.start_node("nrt-1")
    wait_until(lambda: exposition.value(of_controller(lab), "sixpn_node_lag_versions", node="nrt-1") == 0, 30, "nrt-1 is back")


def test_who_may_read(lab):
    """The controller's page: this machine and operators; no token of a customer, nobody through a proxy."""
    token = lab.secret("token", "create", "--org", "acme", "--profile", "read", "--name", "t")
    assert get(lab.controller, "127.0.0.1", 4280)[0] == 200
    assert get(lab.controller, "127.0.0.1", 4280, headers={"X-Forwarded-For": "192.0.2.1"})[0] == 401
    assert get(lab.controller, "127.0.0.1", 4280, headers={"Authorization": f"Bearer {token}"})[0] == 403
    assert get(lab.controller, "127.0.0.1", 4280, headers={"Authorization": f"Bearer {lab.operator_token()}"})[0] == 200
    address = lab.underlay_address("ord-1")  # a node's page is on its loopback alone
    try:
        get(lab.controller, address, 4282)
        raise AssertionError("a node's page can be read from the underlay")
    except OSError:
        pass
    try:
        get(lab.instance("acme", "web", "ord-1"), "fdaa::3", 4282, timeout=1)
        raise AssertionError("a node's page can be read by an instance")
    except OSError:
        pass


def test_prometheus_is_told_what_it_can_scrape(lab):
    """The list for http_sd_configs: the controller, and the one node that listens for others; each target of it answers."""
    lab.stop_node("ord-1")
    lab.start_node("ord-1", "--metrics-listen", "[::1]:4282,0.0.0.0:4282")

    def targets():
        status, kind, text = get(lab.controller, "127.0.0.1", 4280, "/v1/prometheus/targets")
        assert status == 200 and kind == "application/json", (status, kind)
        return json.loads(text)

    wait_until(lambda: len(targets()) == 2, 30, "the node has said where it can be scraped")
    by_job = {t["labels"]["job"]: t for t in targets()}
    node = by_job["sixpn-node"]
    assert node["labels"]["node"] == "ord-1" and node["labels"]["region"] == "ord" and node["labels"]["roles"] == "host", node
    assert node["targets"] == [f"{lab.underlay_address('ord-1')}:4282"], node
    for job in by_job.values():
        host, port = job["targets"][0].rsplit(":", 1)
        page(lab.controller, host.strip("[]"), int(port))
    lab.stop_node("ord-1")
    lab.start_node("ord-1")
    wait_until(lambda: len(targets()) == 1, 30, "it listens for itself alone again")


def test_alerts_name_what_exists(lab):
    """Every metric and label of the rules is in a page of this cluster, or at least in the table of the reference."""
    rules = RULES.read_text()
    text = get(lab.controller, "127.0.0.1", 4280)[2]
    table = (ROOT / "docs/reference/metrics.md").read_text()
    exprs = " ".join(re.findall(r"expr: (.*)", rules))
    names = set(re.findall(r"\b(sixpn_[a-z0-9_]+)", re.sub(r'"[^"]*"', "", exprs)))
    assert len(names) > 8, names
    for name in names:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert f"`{family}`" in table, f"{name} is in no table"
    for reason in set(re.findall(r'reason=~"([^"]+)"', rules)):
        for one in reason.split("|"):
            assert f'reason="{one}"' in text, f"no reason {one}"
