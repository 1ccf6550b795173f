"""engine - a Docker engine of our own for one test: Debian's dockerd in network, mount, process and cgroup namespaces of its own.

It shares nothing with an engine that the machine may have: own socket, own data, own bridges and firewall. All that it started ends with
it, however it ends: its PID 1 is a child of ours that the kernel kills when we die."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess

from fixture.cluster import wait_until

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
# The engine's PID 1 is its own small init, which reaps what the engine's shims leave behind. Its many sockets are in a /run that is its
# own: their paths may have 107 characters, and who knows where this tree is.
START = """
mount --make-rprivate / && mount -t tmpfs -o mode=0755 none /run && ip link set lo up || exit 1
exec docker-init -- dockerd --data-root "$1/data" --exec-root /run/docker --pidfile "$1/pid" --host "unix://$1/sock" --group root \
    --cgroup-parent "$2" --log-level warn
"""


class Unavailable(Exception):
    """No engine can run here; the text says why."""


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Engine:
    def __init__(self, packages, home):
        """packages: where Debian's docker.io and what it needs were unpacked; home: a folder that is ours."""
        self.packages, self.home, self.cgroup = pathlib.Path(packages), pathlib.Path(home), f"sixpn-compose-{os.getpid()}"
        self.process, self.space, self.log = None, None, self.home / "dockerd.log"
        tools = f"{self.packages / 'usr/sbin'}:{self.packages / 'usr/bin'}"
        self.env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "DOCKER_HOST": f"unix://{self.home / 'sock'}",
                    "DOCKER_BUILDKIT": "1", "DOCKER_CONFIG": str(self.home / "config"), "COMPOSE_PROJECT_NAME": "sixpn"}
        for name in ("COMPOSE_FILE", "DOCKER_CONTEXT", "SIXPN_VERSION", "BASE"):
            self.env.pop(name, None)

    def start(self):
        why = self.missing()
        if why:
            raise Unavailable(why)
        self.home.mkdir(parents=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--pid", "--uts", "--cgroup", "--fork", "--kill-child", "--mount-proc", "sh", "-c", START, "sh",
                 str(self.home), f"/{self.cgroup}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env, preexec_fn=die_with_parent, start_new_session=True)
        try:
            wait_until(lambda: self.process.poll() is not None or self.answers(), 60, "dockerd answers")
        except TimeoutError:
            pass
        if not self.answers():
            raise Unavailable("dockerd does not start: " + self.last_words())
        first = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0]
        self.space = os.readlink(f"/proc/{first}/ns/pid")
        self.held = open(f"/proc/{first}/ns/pid")  # so that its number is given to no other namespace while we look for what is left
        done = self.docker("info", "--format", "{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}}")
        return done.stdout.strip()

    def missing(self):
        if os.geteuid():
            return "a Docker engine needs root"
        for program in ("usr/sbin/dockerd", "usr/bin/containerd", "usr/sbin/runc", "usr/bin/docker", "usr/bin/docker-init"):
            if not (self.packages / program).exists():
                return f"{self.packages / program} is not there: Debian's package could not be downloaded"
        if not shutil.which("docker-compose"):
            return "docker-compose is not installed, and could not be"
        if not os.path.exists("/dev/net/tun"):
            return "there is no /dev/net/tun"
        return None

    def answers(self):
        return self.docker("version").returncode == 0

    def last_words(self):
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def run(self, *argv, check=False, timeout=300, env=None, **kw):
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="replace", env={**self.env, **(env or {})},
                              timeout=timeout, **kw)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def docker(self, *argv, **kw):
        return self.run("docker", *argv, **kw)

    # ---- the end

    def stop(self):
        """Afterwards there is no process, mount, network or control group of it, and no file below home."""
        if self.process:
            self.process.kill()  # unshare; its child, PID 1 of the rest, goes with it
            self.process.wait()
            wait_until(lambda: not self.left_processes(), 30, "the engine's processes are gone")
        remove_cgroups(self.cgroup)
        shutil.rmtree(self.home, ignore_errors=True)

    def left_processes(self):
        """Everything of the engine is in its process namespace, or below its control group."""
        return [pid for pid, space, groups in processes() if space == self.space or f"/{self.cgroup}/" in groups]

    def left(self):
        """What is still there of a stopped engine; nothing, one hopes."""
        mounts = [line for line in pathlib.Path("/proc/self/mounts").read_text().splitlines() if str(self.home) in line]
        groups = [str(path) for path in cgroups(self.cgroup)]
        files = [str(self.home)] if self.home.exists() else []
        return [*(f"process {pid}" for pid in self.left_processes()), *mounts, *groups, *files]


def processes():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                yield int(entry), os.readlink(f"/proc/{entry}/ns/pid"), pathlib.Path(f"/proc/{entry}/cgroup").read_text()
            except OSError:
                pass  # it has ended


def cgroups(name):
    root = pathlib.Path("/sys/fs/cgroup")
    return [path for path in (root / name, *(folder / name for folder in root.iterdir() if folder.is_dir())) if path.exists()]


def remove_cgroups(name):
    for top in cgroups(name):
        for folder, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass  # left() tells
