"""bench_api - the HTTP API beside etcd's, both over loopback TCP with their state on the same disk, in turn: reads, durable writes, and
writes that are answered when every node has applied them (?wait=applied). Beside what nodes are told stands etcd with as many watchers.
etcd knows no applied; beside it stands what one would build for the same promise: watchers that write down what they saw and acknowledge
it, and a writer that watches the acknowledgements (http_blast.c)."""
import base64
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
sys.path.insert(0, str(ROOT / "tests/bench"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import API_PORT, NODES, Cluster, wait_until  # noqa: E402
from disk import DISK, give_disk  # noqa: E402
from tunnels import Api  # noqa: E402

ROUNDS, SECONDS = int(os.environ.get("ROUNDS", 5)), float(os.environ.get("SECONDS", 2))
CONNECTIONS, OBJECTS, REQUESTS, ETCD_PORT = (1, 32), 16, 4000, 2379
BLAST = BUILD / "tests/bench/http_blast"
ETCD = pathlib.Path(sys.argv[1]).resolve() / "usr/bin/etcd"

if os.geteuid():
    print("SKIP: network namespaces need root")
    sys.exit(0)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def request(method, path, body, token=None, tag="-"):
    text = json.dumps(body) if body is not None else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if text:
        head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    whole = f"{head}\r\n{text}"
    return f"{len(whole)} {tag}\n{whole}"


class Bench:
    def __init__(self):
        self.lab = Cluster(NODES, logs=BUILD / "tests/bench/logs", park_ms=20000)
        self.serial = 0

    def up(self):
        lab = self.lab
        give_disk(lab.controller, "/var/lib/sixpn/controller")
        give_disk(lab.controller, "/var/lib/etcd")
        for cell in lab.nodes.values():
            give_disk(cell, "/var/lib/sixpn/node")
        lab.up()
        self.api = Api(lab)
        lab.sixpn("org", "create", "acme")
        self.api("PATCH", "/v1/orgs/acme", {"limits": {"writes": 10000}})
        lab.sixpn("app", "create", "web", "--org", "acme")
        for number in range(OBJECTS):
            lab.sixpn("instance", "create", "--org", "acme", "--app", "web", "--host", NODES[number % len(NODES)][0], "--",
                      "/bin/sleep", "1000000")
        lab.settle()
        self.instances = [i["id"] for i in lab.instances("acme", "web")]
        self.value_len = len(json.dumps(self.api("GET", f"/v1/instances/{self.instances[0]}")))
        self.token = lab.operator_token()
        lab.controller.spawn("etcd", ETCD, "--data-dir", "/var/lib/etcd", "--listen-client-urls", f"http://127.0.0.1:{ETCD_PORT}",
                             "--advertise-client-urls", f"http://127.0.0.1:{ETCD_PORT}", "--listen-peer-urls", "http://127.0.0.1:2380",
                             "--log-level", "error", "--quota-backend-bytes", "8000000000")
        wait_until(self.etcd_is_there, 30, "etcd")
        self.save("etcd-fill", [request("POST", "/v3/kv/put", {"key": b64(f"instance/{i}"), "value": b64("x" * self.value_len)})
                                for i in self.instances])
        self.blast("etcd-fill", ETCD_PORT, 1, 0.2)

    def etcd_is_there(self):
        return self.lab.controller.run("curl", "-sf", f"http://127.0.0.1:{ETCD_PORT}/health").returncode == 0

    def save(self, name, requests):
        self.lab.controller.path(f"/run/{name}").write_text("".join(requests))

    def blast(self, name, port, connections, seconds, watchers=()):
        done = self.lab.controller.run(BLAST, "127.0.0.1", port, connections, seconds, f"/run/{name}", *watchers, timeout=60)
        if done.returncode:
            sys.exit(f"http_blast {name}: {done.stderr}")
        rate, p50, p99, failed = map(float, done.stdout.split())
        if failed:
            sys.exit(f"http_blast {name}: {failed:.0f} replies were no success")
        return rate, p50, p99

    # ---- what is asked

    def reads(self, serializable):
        body = {"serializable": True} if serializable else {}
        self.save("ours", [request("GET", f"/v1/instances/{i}", None, self.token) for i in self.instances])
        self.save("etcd", [request("POST", "/v3/kv/range", {"key": b64(f"instance/{i}"), **body}) for i in self.instances])

    def writes(self, wait, of_nodes=True):
        """What an instance is, nodes must know; the limits of an organization they need not."""
        ours, etcd = [], []
        for _ in range(REQUESTS):
            self.serial += 1
            instance = self.instances[self.serial % OBJECTS]
            if of_nodes:
                ours.append(request("PATCH", f"/v1/instances/{instance}?wait={wait}", {"metadata": {"serial": str(self.serial)}}, self.token))
            else:
                ours.append(request("PATCH", f"/v1/orgs/acme?wait={wait}", {"limits": {"tokens": 100 + self.serial % 1000}}, self.token))
            value = f"v{self.serial:011d}"  # 12 bytes: no padding in base64
            etcd.append(request("POST", "/v3/kv/put", {"key": b64(f"instance/{instance}"), "value": b64(value)}, tag=b64(value)))
        self.save("ours", ours)
        self.save("etcd", etcd)

    def compare(self, title, watchers=()):
        for connections in CONNECTIONS:
            ours, etcd = [], []
            for _ in range(ROUNDS):
                ours.append(self.blast("ours", API_PORT, connections, SECONDS))
                etcd.append(self.blast("etcd", ETCD_PORT, connections, SECONDS, watchers))
            a, b = ([statistics.median(row[n] for row in rows) for n in range(3)] for rows in (ours, etcd))
            print(f"  {title}, {connections} connection{'s' * (connections > 1)}: {a[0]:.0f}/s beside {b[0]:.0f}/s: {a[0] / b[0]:.2f} x; "
                  f"p50 {a[1] / 1000:.2f} ms beside {b[1] / 1000:.2f} ms; p99 {a[2] / 1000:.2f} ms beside {b[2] / 1000:.2f} ms: "
                  f"{a[2] / b[2]:.2f} x", flush=True)

    def run(self):
        print(f"our API beside etcd {self.etcd_version()}'s JSON gateway, one member; {ROUNDS} rounds of {SECONDS:g} s each in turn, medians. "
              f"Requests a second: more is better; p99: less is better")
        self.reads(False)
        self.compare("read, linearizable")
        self.reads(True)
        self.compare("read, beside etcd's serializable")
        self.writes("recorded", of_nodes=False)
        self.compare("durable write")
        watch = request("POST", "/v3/watch", {"create_request": {"key": b64("instance/"), "range_end": b64("instance0")}})
        acks = request("POST", "/v3/watch", {"create_request": {"key": b64("ack/"), "range_end": b64("ack0")}})
        for name, text in (("watch", watch), ("watch-acks", acks)):
            self.lab.controller.path(f"/run/{name}").write_text(text.split("\n", 1)[1])
        self.writes("recorded")
        self.compare(f"durable write that {len(NODES)} nodes are told", (len(NODES), "/run/watch"))
        self.writes("applied")
        self.compare(f"write applied at {len(NODES)} nodes", (len(NODES), "/run/watch", "/run/watch-acks", "/var/lib/etcd"))

    def etcd_version(self):
        return subprocess.run([ETCD, "--version"], capture_output=True, text=True).stdout.split()[2]


if not ETCD.exists():
    print("SKIP: no etcd could be unpacked, nothing to compare with")
    sys.exit(0)
shutil.rmtree(DISK, ignore_errors=True)
bench = Bench()
try:
    bench.up()
    bench.run()
finally:
    bench.lab.stop()
    shutil.rmtree(DISK, ignore_errors=True)
