"""bench_change - a cluster of four nodes in namespaces, and change_probe on it: from an API write to the changed answer everywhere."""
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
sys.path.insert(0, str(ROOT / "tests/bench"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import NODES, Cluster, wait_until  # noqa: E402
from disk import DISK, give_disk  # noqa: E402

TRIALS = 200
SPEC = {"schema": 1, "command": ["/bin/sleep", "1000000"]}

if os.geteuid():
    print("SKIP: network namespaces need root")
    sys.exit(0)


shutil.rmtree(DISK, ignore_errors=True)
lab = Cluster(NODES, logs=BUILD / "tests/bench/logs", park_ms=20000)
try:
    give_disk(lab.controller, "/var/lib/sixpn/controller")
    for cell in lab.nodes.values():
        give_disk(cell, "/var/lib/sixpn/node")
    lab.up()
    lab.sixpn("org", "create", "acme")
    lab.sixpn("app", "create", "web", "--org", "acme")
    for node, _ in NODES:
        lab.sixpn("instance", "create", "--org", "acme", "--app", "web", "--host", node, "--", *SPEC["command"])
    lab.settle()
    instances = [lab.instance("acme", "web", node) for node, _ in NODES]
    target = instances[0]
    wait_until(lambda: all(target.address in i.dig("web.internal", "AAAA") for i in instances), 15, "all name servers know the instance")
    done = subprocess.run([BUILD / "tests/bench/change_probe", lab.controller.path("/run/sixpn/controller.sock"), target.id, "web.internal",
                           target.address, str(TRIALS), lab.controller.path("/var/lib/sixpn/controller"), *[str(i.pid) for i in instances]])
    sys.exit(done.returncode)
finally:
    lab.stop()
    shutil.rmtree(DISK, ignore_errors=True)
