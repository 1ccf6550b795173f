"""The demo leaves nothing behind, however it ends, and two can run at once."""
import json
import os
import pathlib
import signal
import socket
import subprocess

from fixture.cell import BUILD, HOLDER, ROOT
from fixture.cluster import wait_until

ALONE = True  # it counts the cells, devices and mounts of the machine
MAKE = ["make", "-C", str(ROOT), f"B={BUILD}"]


def holders():
    """Of this build: somebody else's clusters are none of our business."""
    found = set()
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "exe") == str(HOLDER):
                found.add(int(entry.name))
        except OSError:
            pass
    return found


def devices():
    return {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}


def root_links():
    """The links demo<pid> of demos of this build that run now."""
    found = set()
    for name in devices():
        try:
            if name.startswith("demo") and f"SIXPN_BUILD={BUILD}\0".encode() in pathlib.Path(f"/proc/{name[4:]}/environ").read_bytes():
                found.add(name)
        except OSError:
            pass
    return found


def traces():
    """What a demo could leave on the machine. Root links are looked at by name: other builds' demos come and go."""
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    mounts = len(pathlib.Path("/proc/mounts").read_text().splitlines())
    others = {name for name in devices() if not name.startswith("demo")}
    return socket.gethostname(), others, tables, mounts, os.path.exists("/var/lib/sixpn"), os.path.exists("/run/sixpn")


def begin(target="demo"):
    """make, in a session of its own, once its cluster stands."""
    before = holders()
    make = subprocess.Popen([*MAKE, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: len(holders() - before) >= 10, 60, "the cells are up")
    return make, before, wait_until(root_links, 20, "the link to the root namespace")


def ends_clean(make, before, links, clean):
    make.wait()
    gone(before, links, clean)


def gone(before, links, clean):
    wait_until(lambda: holders() <= before, 20, "all cells are gone")
    wait_until(lambda: not links & devices(), 20, "the root link is gone")
    wait_until(lambda: traces() == clean, 10, f"no trace is left: {traces()} was {clean}")


def test_kill_9_of_make_leaves_nothing():
    clean = traces()
    make, before, links = begin()
    make.kill()
    ends_clean(make, before, links, clean)


def test_ctrl_c_leaves_nothing():
    clean = traces()
    make, before, links = begin()
    os.killpg(make.pid, signal.SIGINT)
    ends_clean(make, before, links, clean)


def test_two_demos_at_once_and_a_kept_one_can_be_entered_and_removed():
    clean, before = traces(), holders()
    kept = subprocess.Popen([*MAKE, "demo", "KEEP=1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    other = subprocess.Popen([*MAKE, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    texts = [p.communicate(timeout=480)[0] for p in (kept, other)]
    assert kept.returncode == 0, texts[0]
    assert other.returncode == 0, texts[1]
    state = json.loads((BUILD / "demo/state.json").read_text())
    try:
        enter = [str(ROOT / "deploy/demo/enter")]
        env = {**os.environ, "SIXPN_BUILD": str(BUILD)}
        out = subprocess.run([*enter, "ord-1", "ip", "-6", "route", "show", "table", "6000"], capture_output=True, text=True, env=env)
        assert "sixpn-mesh" in out.stdout, out
        out = subprocess.run([*enter, "acme/my-frontend", "dig", "+short", "my-database.internal", "aaaa"], capture_output=True,
                             text=True, env=env)
        assert out.stdout.startswith("fdaa:"), out
        out = subprocess.run(["bash", "-c", f". {BUILD}/demo/env && exec {BUILD}/bin/sixpn status --json"], capture_output=True, text=True,
                             env={**os.environ, "HOME": "/nonexistent"})
        assert json.loads(out.stdout)["healthy"], out
        assert (BUILD / "demo/env").stat().st_mode & 0o077 == 0
    finally:
        subprocess.run([*MAKE, "demo-down"], check=True, stdout=subprocess.DEVNULL)
    gone(before, {state["device"]}, clean)
