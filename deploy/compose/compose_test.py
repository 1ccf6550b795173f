"""compose_test - brings the cluster of docker-compose.yml up on an engine of its own, checks what is claimed of it, takes everything down.

    compose_test.py test                    every claim once; exit 0 only if all hold, or if no Docker engine can run here (it says why)
    compose_test.py sabotage [--only NAMES] every claim broken on purpose: it must fail, and hold again when mended

The image is the Dockerfile's, with the programs that `make` built in place of its compile stage. Its base is made by ./base and kept in
build/compose between runs."""
import argparse
import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy/compose"
sys.path[:0] = [str(HERE), str(ROOT / "tests/net"), str(ROOT / "deploy/demo")]
from fixture.cell import BUILD  # noqa: E402
from claims.common import notes  # noqa: E402
from cluster import ComposeCluster  # noqa: E402
from engine import Engine, Unavailable, die_with_parent, remove_cgroups  # noqa: E402
import checks  # noqa: E402

HOME = BUILD / "compose"
MAKE_BASE_S = 900


class Clock:
    """What took how long."""

    def __init__(self):
        self.start = self.last = time.monotonic()

    def step(self, text):
        now = time.monotonic()
        print(f"-- {text} ({now - self.last:.1f} s)", flush=True)
        self.last = now

    def total(self):
        return time.monotonic() - self.start


# ---- the image

def base_file():
    """Named by what it is made of: another list of packages is another base."""
    key = hashlib.sha256((HERE / "packages").read_bytes() + (HERE / "base").read_bytes()).hexdigest()[:12]
    return HOME / f"base-{key}.tar"


def start_base():
    """The process that makes the base, or None if it is there."""
    path = base_file()
    if path.exists():
        return None
    HOME.mkdir(parents=True, exist_ok=True)
    for old in HOME.glob("base*"):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink()
    return subprocess.Popen([str(HERE / "base"), str(path)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            preexec_fn=die_with_parent)


def finish_base(process):
    if process:
        said = process.communicate(timeout=MAKE_BASE_S)[1]
        if process.returncode:
            raise Unavailable("no base image can be made: " + (said.strip().splitlines() or ["debootstrap said nothing"])[-1])


def try_a_container(engine):
    """Where the engine starts but no container does, it is no engine. With nothing of ours in it."""
    engine.docker("import", base_file(), "sixpn-base:dev", check=True)
    done = engine.docker("run", "--rm", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_ADMIN", "--device", "/dev/net/tun", "sixpn-base:dev", "true")
    if done.returncode:
        raise Unavailable("no container starts here: " + (done.stderr.strip().splitlines() or ["docker run said nothing"])[-1])


def build_image(engine):
    programs = engine.home / "programs"
    subprocess.run(["make", "-s", "--no-print-directory", f"B={BUILD}", "install", f"DESTDIR={programs}/out", "PREFIX=/usr"], cwd=ROOT, check=True,
                   stdout=subprocess.DEVNULL)
    for program in programs.glob("out/usr/*bin/*"):
        subprocess.run(["strip", str(program)], check=True)
    engine.run("sh", "-c", 'tar -C "$1" -c . | docker import - sixpn-programs:dev', "sh", programs, check=True)
    engine.docker("build", "--network", "none", "--build-arg", "BASE=sixpn-base:dev", "--build-arg", "PROGRAMS=sixpn-programs:dev",
                  "-f", HERE / "Dockerfile", "-t", "sixpn:dev", ROOT, check=True)
    return engine.docker("image", "inspect", "--format", "{{.Size}}", "sixpn:dev", check=True).stdout.strip()


# ---- the claims

def check(row, cluster):
    """The error text, or None."""
    notes.clear()
    try:
        row.check(cluster)
        return None
    except Exception as failure:  # whatever goes wrong in a check is a claim that does not hold
        return f"{type(failure).__name__}: {failure}"


def told(command, output):
    print(f"$ {command}")
    for line in output.rstrip().splitlines():
        print(f"  {line}")


def run_claims(cluster, rows, clock):
    failed, chapter = [], None
    for row in rows:
        if row.chapter != chapter:
            chapter = row.chapter
            print(f"\n--- {chapter}")
        started = time.monotonic()
        error = check(row, cluster)
        print(f"{'FAIL' if error else 'PASS'}  {row.claim} ({time.monotonic() - started:.1f} s)" + (f"\n      {error}" if error else "")
              + "".join(f"\n      {note}" for note in notes), flush=True)
        if error:
            failed.append(row.name)
    clock.last = time.monotonic()
    return failed


def test(engine, clock):
    cluster = ComposeCluster(engine, [HERE / "docker-compose.yml"])
    cluster.tell = told
    rows = checks.rows()
    cluster.up()
    clock.step("docker-compose up -d")
    failed = run_claims(cluster, rows, clock)  # the first try comes first
    if failed:
        keep_logs(engine, cluster)
    failed += take_down(cluster, clock)
    return failed, len(rows) + 1


def take_down(cluster, clock):
    cluster.compose("down", "-v")
    left = [line for what in (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "--filter", "type=custom", "-q"))
            for line in cluster.engine.docker(*what, check=True).stdout.splitlines()]
    clock.step("docker-compose down -v")
    print(f"{'FAIL' if left else 'PASS'}  it leaves no container, volume or network" + (f"\n      left: {left}" if left else ""))
    return ["down"] if left else []


def keep_logs(engine, cluster):
    path = HOME / "last-failure.log"
    path.write_text(cluster.compose("logs", "--no-color", check=False).stdout + engine.log.read_text(errors="replace"))
    print(f"logs: {path}")


def sabotage(engine, clock, only):
    cluster = ComposeCluster(engine, [HERE / "docker-compose.yml", HERE / "sabotage.yml"])
    wrong, rows = [], [row for row in checks.rows() if not only or row.name in only.split(",")]
    cluster.up()
    clock.step("docker-compose up -d")
    for row in rows:
        started = time.monotonic()
        error, again = break_and_mend(row, cluster)
        bad = ([] if error else [f"still PASS although {row.broken}"]) + ([f"not mended: {again}"] if again else [])
        print(f"{'WRONG' if bad else 'caught'}  {row.name}: {row.broken} ({time.monotonic() - started:.1f} s)"
              + "".join(f"\n        {text}" for text in (bad or [f"FAIL as it should: {error.splitlines()[0]}"])), flush=True)
        wrong += [row.name] * bool(bad)
    if wrong:
        keep_logs(engine, cluster)
    cluster.compose("down", "-v", "-t", "2")
    return wrong, len(rows)


def break_and_mend(row, cluster):
    """What the claim says while it is broken, and afterwards."""
    mend, error = row.sabotage(cluster), None
    try:
        error = check(row, cluster)
        mend()
        cluster.refresh()
        return error, check(row, cluster)
    except Exception as failure:  # the others are broken all the same
        return error, f"{type(failure).__name__}: {failure}"


# ---- the whole

def forget_old_homes():
    """Of runs that were killed: their processes went with them, files and control groups did not."""
    for old in HOME.glob("engine-*"):
        number = old.name.rsplit("-", 1)[1]
        if not os.path.exists(f"/proc/{number}"):
            remove_cgroups(f"sixpn-compose-{number}")
            shutil.rmtree(old, ignore_errors=True)


def play(what, only, packages):
    clock, engine = Clock(), Engine(packages, HOME / f"engine-{os.getpid()}")
    failed, n, base = [], 0, None
    forget_old_homes()
    try:
        why = engine.missing()
        if why:
            raise Unavailable(why)
        base = start_base()
        clock.step(f"dockerd {engine.start()}")
        finish_base(base)
        clock.step(f"base image: {base_file().stat().st_size >> 20} MiB" + ("" if base else ", of an earlier run"))
        try_a_container(engine)
        size = int(build_image(engine))
        clock.step(f"docker build: image of {size / 1e6:.0f} MB")
        failed, n = test(engine, clock) if what == "test" else sabotage(engine, clock, only)
    except Unavailable as reason:
        print(f"compose-{what}: SKIP: {reason}")
        return 0
    finally:
        if base and base.poll() is None:
            base.terminate()
            base.wait()
        engine.stop()
    left = engine.left()
    if what == "test":
        print(f"{'FAIL' if left else 'PASS'}  the engine leaves nothing" + "".join(f"\n      {thing}" for thing in left))
        failed += ["engine"] * bool(left)
        n += 1
    print(f"\n{n - len(failed)} of {n} {'claims hold' if what == 'test' else 'sabotages were caught'}, {clock.total():.0f} s"
          + (f"\nFAIL: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["test", "sabotage"])
    parser.add_argument("--packages", default=str(BUILD / "docker"))
    parser.add_argument("--only", help="names of claims, separated by commas")
    args = parser.parse_args()
    die_with_parent_softly()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        return play(args.what, args.only, args.packages)
    except KeyboardInterrupt:
        return 130


def die_with_parent_softly():
    """make may be killed: end with it, and take everything down first."""
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


sys.exit(main())
