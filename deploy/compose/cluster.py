"""cluster - the containers of a compose project, with the face of the clusters in tests/net/fixture: the demo's claims ask them as they ask
those. Commands run inside by entering a container's namespaces, as root of this machine."""
import json
import os
import pathlib
import re
import subprocess

from fixture.cell import Cell
from fixture.cluster import Cluster, Instance, wait_until

HERE = pathlib.Path(__file__).resolve().parent
GRACE = 10  # seconds between SIGTERM and SIGKILL, if a container is told to stop


class Container(Cell):
    """A running container, entered by its PID 1."""

    def __init__(self, name, identity):
        self.name, self.container, self.namespaces, self.daemons = name, identity, ["-n", "-m", "-p", "-u"], {}
        self.pid = outer_pid(identity)
        self.environment = dict(e.split("=", 1) for e in pathlib.Path(f"/proc/{self.pid}/environ").read_text().split("\0") if "=" in e)

    def run(self, *argv, timeout=20, check=False, env=None, stdin=None):
        """As `docker exec` would: with the container's environment, not ours."""
        done = subprocess.run(self.enter(argv), capture_output=True, text=True, errors="replace", timeout=timeout, input=stdin,
                              env={**self.environment, "HOME": "/root", **(env or {})})
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def pids_of(self, program):
        """Daemons: a health check is a process of the same name."""
        return [outer for outer, _, command in self.inner_pids()
                if command and os.path.basename(command.split()[0]) == program and "status" not in command.split()]

    def dig(self, *args, server=None, tcp=False):
        return self.out("dig", "+short", "+time=5", "+tries=1", *(["+tcp"] if tcp else []), *([f"@{server}"] if server else []),
                        *args).splitlines()

    def rcode(self, name, kind):
        text = self.out("dig", "+time=5", "+tries=1", name, kind)
        return re.search(r"status: (\w+)", text).group(1)


def outer_pid(identity):
    """PID 1 of a container as this machine sees it: the engine knows it by another number."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if identity in pathlib.Path(f"/proc/{entry}/cgroup").read_text():
                    spaces = re.search(r"^NSpid:(.*)$", pathlib.Path(f"/proc/{entry}/status").read_text(), re.M).group(1).split()
                    if len(spaces) > 2 and spaces[-1] == "1":
                        return int(entry)
            except OSError:
                pass  # it has ended
    raise LookupError(f"container {identity[:12]} has no process")


class ComposeCluster:
    """Nodes are called as their containers: sixpn_host-ord_2 is the node host-ord-2."""

    # what asks only by json(), sixpn() and node_status() is the same for both
    instances, instance, settle, ready, answers, node_status, drops = (
        Cluster.instances, Cluster.instance, Cluster.settle, Cluster.ready, Cluster.answers, Cluster.node_status, Cluster.drops)

    def __init__(self, engine, files, project="sixpn", api_port=4280):
        self.engine, self.files, self.project, self.env = engine, list(files), project, {"SIXPN_API_PORT": str(api_port)}
        self.tell = lambda command, output: None
        self.more_for_smallest = []  # files beside the second compose file
        self.scales, self.containers, self.nodes = [], {}, {}

    # ---- docker-compose

    def compose(self, *argv, check=True, timeout=300):
        files = [word for file in self.files for word in ("-f", str(file))]
        return self.engine.run("docker-compose", "--ansi", "never", "-p", self.project, *files, *argv, check=check, timeout=timeout, cwd=HERE,
                               env=self.env)

    def up(self, *scales):
        """scales: host-ord=3"""
        self.scales = [word for scale in scales for word in ("--scale", scale)]
        self.compose("up", "-d", "--no-build", *self.scales)
        self.refresh()

    def refresh(self):
        """Containers come and go, and a restarted one has another PID 1. What runs once may end while we look."""
        wait_until(self.look, 30, "every running container has a process")

    def look(self):
        self.containers, self.nodes = {}, {}
        for name, identity in self.list():
            service = name[len(self.project) + 1:].replace("_", "-")
            try:
                self.containers[service] = Container(service, identity)
            except LookupError:
                return False
            if self.containers[service].environment.get("SIXPN_ROLES"):
                self.nodes[service] = self.containers[service]
        return True

    def list(self, *flags):
        done = self.engine.docker("ps", "--no-trunc", "--filter", f"label=com.docker.compose.project={self.project}", *flags,
                                  "--format", "{{.Names}} {{.ID}}", check=True)
        return [line.split() for line in done.stdout.splitlines()]

    def inspect(self, *flags):
        """name -> what the engine says of it"""
        found = self.list("--all", *flags)
        texts = self.engine.docker("inspect", *[identity for _, identity in found], check=True).stdout if found else "[]"
        return {one["Name"].lstrip("/"): one for one in json.loads(texts)}

    def exec(self, service, *argv, timeout=60):
        """What the user types: docker-compose exec."""
        return self.compose("exec", "-T", service, *argv, check=False, timeout=timeout)

    def container_of(self, node):
        return f"{self.project}_" + "_".join(node.rsplit("-", 1))

    # ---- what the claims ask

    @property
    def table(self):
        return [(name, node.environment["SIXPN_REGION"]) for name, node in self.nodes.items()]

    @property
    def controller(self):
        return self.containers["controller-1"]

    @property
    def laptop(self):
        return self.containers["client-1"]

    def sixpn(self, *args, check=True, say=True):
        done = self.controller.run("sixpn", *args, timeout=60)
        if say:
            self.tell("docker-compose exec controller sixpn " + " ".join(map(str, args)), done.stdout + done.stderr)
        if check and done.returncode:
            raise RuntimeError(f"sixpn {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, *args):
        done = self.controller.run("sixpn", *args, "--json", timeout=60)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"sixpn {' '.join(map(str, args))}: exit {done.returncode}\n{done.stdout}{done.stderr}") from None

    def restart_node(self, name):
        self.engine.docker("restart", self.container_of(name), check=True)
        self.back(name)

    def back(self, *names):
        """Until nodes and their instances are as before a restart."""
        self.refresh()
        wait_until(lambda: all(self.answers(n) and self.node_status(n)["sync"]["synced"] for n in names), 60, f"{', '.join(names)} back")
        wait_until(self.ready, 60, "all nodes ready")
        self.settle()
        wait_until(lambda: all(self.enterable(r) for r in self.instances() if r["host"] in names), 60, "their instances are back")

    def enterable(self, record):
        try:
            return ":8080" in Instance(self, record).out("ss", "-ltn") or "sleep" in Instance(self, record).out("ps", "ax")
        except (RuntimeError, OSError, AttributeError, IndexError):
            return False
