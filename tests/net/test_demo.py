"""The demo leaves nothing behind, however it ends, and two can run at once."""
import json
import os
import pathlib
import signal
import socket
import subprocess

from fixture.cell import BUILD, HOLDER, ROOT
from fixture.cluster import wait_until

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


def somebody_else_s(device):
    """The root link of a demo of another build that runs now: demo<pid>."""
    if not device.startswith("demo"):
        return False
    try:
        return f"SIXPN_BUILD={BUILD}\0".encode() not in pathlib.Path(f"/proc/{device[4:]}/environ").read_bytes()
    except OSError:
        return False


def devices():
    names = {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}
    return {name for name in names if not somebody_else_s(name)}


def traces():
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
    mounts = len(pathlib.Path("/proc/mounts").read_text().splitlines())
    return socket.gethostname(), devices(), tables, mounts, os.path.exists("/var/lib/sixpn"), os.path.exists("/run/sixpn")


def no_new(clean):
    """Devices of others may have gone meanwhile; none may have come."""
    now = traces()
    return now[0] == clean[0] and now[1] <= clean[1] and now[2:] == clean[2:]


def begin(target="demo"):
    """make, in a session of its own, once its cluster stands."""
    before = holders()
    make = subprocess.Popen([*MAKE, target], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: len(holders() - before) >= 10, 60, "the cells are up")
    return make, before


def ends_clean(make, before, clean):
    make.wait()
    wait_until(lambda: holders() <= before, 20, "all cells are gone")
    wait_until(lambda: no_new(clean), 10, f"no trace is left: {traces()} was {clean}")


def test_kill_9_of_make_leaves_nothing():
    clean = traces()
    make, before = begin()
    make.kill()
    ends_clean(make, before, clean)


def test_ctrl_c_leaves_nothing():
    clean = traces()
    make, before = begin()
    os.killpg(make.pid, signal.SIGINT)
    ends_clean(make, before, clean)


def test_two_demos_at_once_and_a_kept_one_can_be_entered_and_removed():
    clean, before = traces(), holders()
    kept = subprocess.Popen([*MAKE, "demo", "KEEP=1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    other = subprocess.Popen([*MAKE, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    texts = [p.communicate(timeout=180)[0] for p in (kept, other)]
    assert kept.returncode == 0, texts[0]
    assert other.returncode == 0, texts[1]
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
    wait_until(lambda: holders() <= before, 20, "all cells are gone")
    wait_until(lambda: no_new(clean), 10, f"no trace is left: {traces()} was {clean}")
