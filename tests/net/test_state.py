"""A state folder that is broken or full takes nothing away: what an earlier run set up goes on, and heals when it can."""
import os
import signal

from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
SLEEPER = {"schema": 1, "command": ["/bin/sleep", "100000"], "drain_ms": 0}
STATE = "/var/lib/sixpn/node"


def prepare(lab):
    lab.deploy("acme", "web", ["ord", "nrt"], SLEEPER)
    lab.settle()


def ends(lab):
    return lab.instance("acme", "web", "ord-1"), lab.instance("acme", "web", "nrt-1")


def pings(here, there):
    return here.run("ping", "-6", "-c1", "-W1", "-n", there.address).returncode == 0


def stop_controller(lab):
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()


def test_a_broken_state_file_without_a_controller_silences_nobody(lab):
    here, there = ends(lab)
    wait_until(lambda: pings(here, there), 10, "first ping")
    stop_controller(lab)
    lab.stop_node("nrt-1", signal.SIGKILL)
    for name in ("replica.snapshot", "replica.journal"):
        path = lab.nodes["nrt-1"].path(f"{STATE}/{name}")
        path.write_bytes(b"rubbish" + path.read_bytes()[7:])
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
    assert pings(here, there) and pings(there, here), "the daemon took away what was there"
    assert there.rcode("ord.web.internal", "AAAA") == ("SERVFAIL", 0), "it knows nothing, and must not say that there is nothing"
    lab.start_controller()
    wait_until(lambda: there.rcode("ord.web.internal", "AAAA") == ("NOERROR", 1), 20, "a fresh snapshot")
    wait_until(lab.ready, 20, "nodes are back")
    assert pings(here, there) and pings(there, here)


def test_a_read_only_state_folder_stops_no_daemon_from_starting(lab):
    here, there = ends(lab)
    cell = lab.nodes["nrt-1"]
    lab.stop_node("nrt-1", signal.SIGKILL)
    cell.out("sh", "-c", f"mount --bind {STATE} {STATE} && mount -o remount,bind,ro {STATE}")
    lab.start_node("nrt-1")
    wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
    assert there.dig("ord.web.internal", "AAAA") == [here.address]
    lab.sixpn("app", "create", "early", "--org", "acme", check=False)  # exit 6: nrt-1 applies it but cannot say so
    wait_until(lambda: there.rcode("early.internal", "AAAA")[0] == "NOERROR", 10, "a change arrives though it cannot be stored")
    cell.out("mount", "-o", "remount,bind,rw", STATE)
    wait_until(lab.ready, 20, "it is stored once that is possible")


def test_a_full_disk_stops_no_daemon_from_starting(lab):
    here, there = ends(lab)
    cell = lab.nodes["nrt-1"]
    cell.run("sh", "-c", f"dd if=/dev/zero of={STATE}/filler bs=1M; dd if=/dev/zero of={STATE}/filler2 bs=1k")
    try:
        lab.stop_node("nrt-1", signal.SIGKILL)
        lab.start_node("nrt-1")
        wait_until(lambda: lab.answers("nrt-1"), 10, "the daemon is up")
        assert there.dig("ord.web.internal", "AAAA") == [here.address]
        lab.sixpn("app", "create", "late", "--org", "acme", check=False)  # exit 6: nrt-1 applies it but cannot say so
        wait_until(lambda: there.rcode("late.internal", "AAAA")[0] == "NOERROR", 10, "a change arrives though it cannot be stored")
    finally:
        for name in ("filler", "filler2"):
            cell.path(f"{STATE}/{name}").unlink(missing_ok=True)
    wait_until(lambda: lab.ready() and lab.node_status("nrt-1")["sync"]["synced"], 20, "it is stored once there is room")
    lab.restart_node("nrt-1", signal.SIGKILL)
    assert pings(here, there)
    assert os.path.exists(cell.path(f"{STATE}/replica.snapshot"))
