"""demo - the main job on real input, told as a transcript.

    demo.py story [--keep]                     the story once; exit 0 only if every claim holds
    demo.py sabotage [--seed N] [--quarter] [--only NAMES]   every claim broken on purpose, see claims/__init__.py
    demo.py down                               removes a kept demo

Everything is a child of this process or of the cells' holders: when it ends, however it ends, the cells end with it.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/net"))
sys.path.insert(0, str(ROOT / "deploy/demo"))
from fixture.cell import BUILD  # noqa: E402
from fixture.cluster import GATEWAYS, Cluster, wait_until  # noqa: E402
import claims  # noqa: E402
import scene  # noqa: E402

HOME = BUILD / "demo"
PR_SET_PDEATHSIG = 1


def fresh_logs(kind):
    """A folder for this run; those of runs that are over are removed."""
    for old in HOME.glob("*-logs-*"):
        if not os.path.exists(f"/proc/{old.name.rsplit('-', 1)[1]}"):
            shutil.rmtree(old, ignore_errors=True)
    return HOME / f"{kind}-logs-{os.getpid()}"


def stage(kind):
    return Cluster(scene.MACHINES, logs=fresh_logs(kind), root_link=True, controller_args=claims.CONTROLLER_ARGS,
                   node_args=claims.NODE_ARGS, gateways=GATEWAYS)


class Told:
    """The transcript: commands as a person would type them, their output, and a verdict per claim."""

    def __init__(self):
        self.verdicts, self.started = [], time.monotonic()

    def title(self, text):
        print(f"\n--- {text}", flush=True)

    def command(self, line, output):
        print(f"$ {line}")
        for text in output.rstrip().splitlines():
            print(f"  {text}")
        sys.stdout.flush()

    def verdict(self, name, claim, error, note):
        self.verdicts.append((name, not error, note))
        print(f"{'FAIL' if error else 'PASS'}  {claim}" + (f"\n      {error}" if error else "") + (f"\n      {note}" if note else ""),
              flush=True)


def check(told, cluster, row):
    """Runs one claim; returns the error text or None."""
    claims.notes.clear()
    try:
        row.check(cluster)
        error = None
    except Exception as failure:  # whatever goes wrong in a check is a claim that does not hold
        error = f"{type(failure).__name__}: {failure}"
    if told:
        told.verdict(row.name, row.claim, error, "; ".join(claims.notes))
    return error


def summary(told, logs, seconds):
    good = sum(ok for _, ok, _ in told.verdicts)
    print(f"\n{good} of {len(told.verdicts)} claims hold, {seconds:.0f} s")
    bad = [name for name, ok, _ in told.verdicts if not ok]
    if bad:
        print("FAIL: " + ", ".join(bad))
    for _, _, note in told.verdicts:
        if note.startswith("withdrawn"):
            print(note)
    print(f"logs: {logs}")


def story(keep):
    told = Told()
    if (HOME / "state.json").exists():
        sys.exit("a kept demo is up in this build folder: make demo-down first")
    cluster = stage("story")
    try:
        cluster.tell = told.command
        scene.operator(told, cluster)
        scene.customers(told, cluster)
        scene.people(told, cluster)
        title = None
        for row in claims.rows():
            if row.chapter != title:
                title = row.chapter
                told.title(title)
            cluster.tell = told.command
            check(told, cluster, row)
        good = all(ok for _, ok, _ in told.verdicts)
        if keep:
            leave_up(cluster)
    finally:
        if not keep or (HOME / "state.json").exists() is False:
            cluster.stop()
    summary(told, cluster.logs, time.monotonic() - told.started)
    return 0 if good else 1


def leave_up(cluster):
    HOME.mkdir(parents=True, exist_ok=True)
    cluster.tell = lambda *_: None
    token = cluster.operator_token()
    instances = cluster.instances()
    state = {"cells": {n: {"pid": c.pid, "holder": c.holder.pid} for n, c in cluster.cells.items()},
             "instances": [{k: i[k] for k in ("id", "org", "app", "host", "address")} for i in instances],
             "device": cluster.root_device}
    names = list(cluster.cells) + [f"{i['org']}/{i['app']}@{i['host']}" for i in instances]
    env = HOME / "env"
    env.unlink(missing_ok=True)
    env.touch(0o600)
    env.write_text(f"export SIXPN_URL={cluster.url}\nexport SIXPN_TOKEN={token}\nexport SIXPN_DEMO_NAMES='{' '.join(names)}'\n")
    cluster.keep()
    (HOME / "state.json").write_text(json.dumps(state, indent=1))
    print(f"""
The demo stays up. Ways in:
  deploy/demo/enter ord-1 ip -6 route show table 6000        a node
  deploy/demo/enter acme/my-frontend dig +short my-database.internal aaaa
  deploy/demo/enter laptop curl -s http://my-database.internal:8080/page.txt     a customer's machine; vps, rival and tablet are others
  . {env} && {BUILD / 'bin/sixpn'} status
  names: {' '.join(names)}
  make demo-down                                             removes everything""")


def down():
    path = HOME / "state.json"
    if not path.exists():
        print("no demo is up")
        return 0
    state = json.loads(path.read_text())
    for cell in state["cells"].values():
        for pid in (cell["holder"], cell["pid"]):
            if is_holder(pid):
                os.kill(pid, signal.SIGKILL)
    wake({c["pid"] for c in state["cells"].values()})
    wait_until(lambda: not any(is_holder(c["pid"]) for c in state["cells"].values()), 10, "cells gone")
    subprocess.run(["ip", "link", "del", state["device"]], stderr=subprocess.DEVNULL)
    path.unlink()
    (HOME / "env").unlink(missing_ok=True)
    print(f"removed {len(state['cells'])} cells")
    return 0


def wake(cells):
    """Whoever stopped a daemon by hand has stopped the nsenter above it too; a stopped one reaps nobody, and its cell cannot end."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\0")
            if os.path.basename(argv[0]) == b"nsenter" and argv[1] == b"-t" and int(argv[2]) in cells:
                os.kill(int(path.parent.name), signal.SIGCONT)
        except (OSError, IndexError, ValueError):
            pass  # it has ended meanwhile, or is another's


def is_holder(pid):
    """A pid may have been given to somebody else since."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "holder"
    except OSError:
        return False


def sabotage(seed, quarter, only):
    unknown = set(only.split(",") if only else []) - {row.name for row in claims.rows()}
    if unknown:
        sys.exit(f"no claim of that name: {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in claims.rows())}")
    chosen = [row for row in claims.rows() if not only or row.name in only.split(",")]
    if quarter:
        chosen = random.Random(seed).sample(chosen, (len(chosen) + 3) // 4)
    print(f"sabotage of {len(chosen)} claims, seed {seed}; again: make demo-sabotage SEED={seed}" + (" QUARTER=1" if quarter else ""))
    cluster = stage("sabotage")
    told, wrong = Told(), []
    told.title = told.command = lambda *_: None
    try:
        scene.operator(told, cluster)
        scene.customers(told, cluster)
        scene.people(told, cluster)
        for row in claims.rows():
            error = check(None, cluster, row)
            if error:
                wrong.append(f"{row.name}: does not hold before any sabotage: {error}")
                print(f"WRONG  {wrong[-1]}", flush=True)
        for row in chosen if not wrong else []:
            wrong += sabotage_row(cluster, row, lambda other: other.costly in ("", row.costly) or row is chosen[0])
    finally:
        cluster.stop()
    if not wrong:
        shutil.rmtree(cluster.logs, ignore_errors=True)
        print(f"all {len(chosen)} sabotages were caught where they should be and nowhere else")
    return 1 if wrong else 0


def sabotage_row(cluster, row, asked):
    wrong, started = [], time.monotonic()
    claims.fresh()
    mend = row.sabotage(cluster)
    try:
        error = check(None, cluster, row)
        if not error:
            wrong.append(f"{row.name}: still PASS although {row.broken}")
        for other in claims.rows():
            if other.name != row.name and other.name not in row.related and asked(other):
                blamed = check(None, cluster, other)
                if blamed:
                    wrong.append(f"{row.name}: sabotage ({row.broken}) also fails {other.name}: {blamed}")
    finally:
        mend()
    claims.fresh()
    for again in claims.rows():
        if again.name == row.name or (again.name in row.related and asked(again)):
            still = check(None, cluster, again)
            if still:
                wrong.append(f"{again.name}: not mended after the sabotage of {row.name}: {still}")
    print(f"{'WRONG' if wrong else 'caught'}  {row.name}: {row.broken} ({time.monotonic() - started:.1f} s)"
          + (f"\n        FAIL as it should: {error.splitlines()[0]}" if error else "")
          + "".join(f"\n        {text}" for text in wrong), flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["story", "sabotage", "down"])
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100000)
    parser.add_argument("--quarter", action="store_true")
    parser.add_argument("--only", help="names of claims, separated by commas")
    args = parser.parse_args()
    if os.geteuid():
        sys.exit("the demo makes network namespaces and needs root")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # make may be killed: end with it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        if args.what == "story":
            return story(args.keep)
        return down() if args.what == "down" else sabotage(args.seed, args.quarter, args.only)
    except KeyboardInterrupt:
        return 130


sys.exit(main())
