"""bench_repair - what looking at the kernel costs a node with many instances and nothing to put right: processor time of a look beside
one list of the machine's links, addresses, neighbours and routes by `ip`, and of the daemon with and without looks."""
import os
import pathlib
import resource
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import Cluster, wait_until  # noqa: E402

INSTANCES, SECONDS, EVERY_MS = 100, 20, 2000
LISTS = "ip link; ip -6 addr; ip -6 neigh; ip -6 route show table all"

if os.geteuid():
    print("SKIP: network namespaces need root")
    sys.exit(0)


def cpu_s(cell):
    """Processor time of the daemon with all its threads, also those that have ended."""
    with open(f"/proc/{cell.pids_of('sixpn-node')[0]}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def over_a_while(lab):
    """(processor time per second, looks, processor time of those in the loop)"""
    cell, before = lab.nodes["ord-1"], lab.node_status("ord-1")["drift"]
    used, started = cpu_s(cell), time.monotonic()
    time.sleep(SECONDS)
    share = (cpu_s(cell) - used) / (time.monotonic() - started)
    after = lab.node_status("ord-1")["drift"]
    assert after["repairs"] == before["repairs"], "something was repaired: this is no idle node"
    return share, after["rounds"] - before["rounds"], after["cpu_us_total"] - before["cpu_us_total"]


def lists_s(cell):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(5):
        cell.out("sh", "-c", LISTS)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 5


lab = Cluster([("ord-1", "ord")], logs=BUILD / "tests/bench/logs", node_args=("--repair_interval_ms", str(EVERY_MS)))
try:
    lab.up()
    lab.sixpn("org", "create", "acme")
    lab.sixpn("app", "create", "web", "--org", "acme")
    for _ in range(INSTANCES):
        lab.sixpn("instance", "create", "--org", "acme", "--app", "web", "--host", "ord-1", "--", "/bin/sleep", "1000000")
    lab.settle()
    share, looks, loop_us = over_a_while(lab)
    floor = lists_s(lab.nodes["ord-1"])
    lab.stop_node("ord-1")
    lab.start_node("ord-1", "--repair_interval_ms", "3600000")
    wait_until(lambda: lab.answers("ord-1") and lab.node_status("ord-1")["sync"]["synced"], 20, "the node without looks")
    time.sleep(2)
    alone, none, _ = over_a_while(lab)
    assert looks and not none
    look = (share - alone) * SECONDS / looks
    print(f"a node with {INSTANCES} instances, a look every {EVERY_MS} ms: {100 * share:.2f} % of a core; without looks {100 * alone:.2f} %")
    print(f"  a look: {1000 * look:.1f} ms of processor time (the loop is held for {loop_us / looks / 1000:.1f} ms)"
          f" = {look / floor:.1f} x four lists by ip ({1000 * floor:.1f} ms)")
finally:
    lab.stop()
