"""sixpn status --watch and sixpn events --follow at a real controller: they show what changes when it changes, end with ^C, leave the
terminal as it was, and exit with what the status is."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

from fixture.cell import BIN
from fixture.cluster import wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
ENV = {**os.environ, "HOME": "/run", "SIXPN_SOCKET": "/run/sixpn/controller.sock"}


class Running:
    """A command in the controller's place, and all that it has written so far."""

    def __init__(self, lab, *args, terminal=False):
        self.text = b""
        argv = lab.controller.enter([BIN / "sixpn", *args])

        def prepare(terminal_fd=None):
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # nsenter waits for the command, which handles it
            if terminal_fd is not None:
                os.login_tty(terminal_fd)

        if terminal:
            self.fd, inside = pty.openpty()
            self.process = subprocess.Popen(argv, env=ENV, preexec_fn=lambda: prepare(inside))
            os.close(inside)
        else:
            self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENV, start_new_session=True,
                                            preexec_fn=prepare)
            self.fd = self.process.stdout.fileno()

    def read(self):
        while select.select([self.fd], [], [], 0.02)[0]:
            try:
                chunk = os.read(self.fd, 65536)
            except OSError:  # the other end of the terminal is closed
                chunk = b""
            if not chunk:
                break
            self.text += chunk
        return self.text.decode()

    def shows(self, what, after=0, seconds=15):
        wait_until(lambda: re.search(what, self.read()[after:]), seconds, f"{what!r} in {self.text.decode()[after:]!r}")
        return len(self.text.decode())

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        code = self.process.wait(timeout=10)
        self.read()
        return code


def test_a_change_is_shown_when_it_happens(lab):
    run = Running(lab, "status", "--watch")
    at = run.shows(r"healthy: 2 of 2 nodes hold V \d+")
    lab.sixpn("region", "create", "fra", "--no-wait")
    run.shows(r"created +region fra", at)
    run.shows(r"healthy: 2 of 2 nodes hold V \d+, slowest change in the last hour \d+ ms \(p50 \d+, p99 \d+\)", at)
    assert run.interrupt() == 0
    blocks = run.text.decode().split("\n\nhealthy")
    assert len(blocks) >= 2 and len(set(blocks)) == len(blocks), "a block that says nothing new"
    assert "\033" not in run.text.decode(), "escapes where there is no terminal"


def test_nothing_is_printed_while_nothing_happens(lab):
    run = Running(lab, "status", "--watch")
    at = run.shows("controller|ready")
    time.sleep(3)
    assert len(run.read()) == at, run.text.decode()[at:]
    assert run.interrupt() == 0


def test_json_is_one_object_a_line(lab):
    run = Running(lab, "status", "--watch", "--json")
    at = run.shows("\n")
    lab.sixpn("region", "create", "dub", "--no-wait")
    run.shows(r'"subject":"region dub"', at)
    run.interrupt()
    docs = [json.loads(line) for line in run.text.decode().splitlines()]
    assert len(docs) >= 2 and all(d["revision"] and len(d["events"]) <= 10 for d in docs)
    assert [d["revision"] for d in docs] == sorted({d["revision"] for d in docs})


def test_a_terminal_is_repainted_and_left_as_it_was(lab):
    run = Running(lab, "status", "--watch", terminal=True)
    run.shows("ord-1")
    at = run.shows("nrt-1")
    lab.sixpn("region", "create", "lhr", "--no-wait")
    run.shows("region lhr", at)
    os.write(run.fd, b"\x03")  # as a person does it
    assert run.process.wait(timeout=10) == 0
    text = run.read()
    assert text.startswith("\033[?1049h\033[?25l") and text.count("\033[?1049h") == 1
    assert text.rstrip().endswith("\033[?25h\033[?1049l"), repr(text[-40:])
    os.close(run.fd)


def test_a_node_that_falls_silent_is_seen_and_is_the_exit_status(lab):
    run = Running(lab, "status", "--watch")
    at = run.shows("healthy: 2 of 2")
    lab.stop_node("nrt-1")
    run.shows(r"degraded: 1 of 2(.|\n)*unknown +node nrt-1 has not polled", at, 30)
    assert run.interrupt() == 1
    lab.start_node("nrt-1")
    wait_until(lab.ready, 20, "nrt-1 is back")


def test_a_controller_that_goes_and_comes_back_is_followed(lab):
    run = Running(lab, "status", "--watch")
    at = run.shows("healthy: 2 of 2")
    lab.controller.signal("sixpn-controller", signal.SIGKILL)
    lab.controller.daemons["controller"].wait()
    at = run.shows("down: the controller does not answer", at)
    lab.start_controller()
    run.shows("healthy: 2 of 2", at, 30)
    assert run.interrupt() == 0
    lab.controller.signal("sixpn-controller", signal.SIGTERM)  # parked questions are answered, not cut off
    lab.controller.daemons["controller"].wait()
    assert lab._run("status").returncode == 2
    lab.start_controller()
    wait_until(lab.ready, 20, "all are back")


def test_events_follow_in_order_and_once_over_controllers_that_are_killed(lab):
    """Nothing is missed and nothing comes twice while the controller is killed again and again."""
    lab.sixpn("org", "create", "acme")
    since = str(lab.json("status")["v"])
    run = Running(lab, "events", "--follow", "--json", "--since", since)
    for i in range(12):
        lab.sixpn("app", "create", f"app-{i}", "--org", "acme", "--no-wait")
        if i in (3, 8):
            lab.controller.signal("sixpn-controller", signal.SIGKILL)
            lab.controller.daemons["controller"].wait()
            lab.start_controller()
            wait_until(lambda: lab._run("status").returncode in (0, 1), 30, "the controller answers")
    run.shows('"name":"app-11"')
    run.interrupt()
    docs = [d for d in map(json.loads, (line for line in run.text.decode().splitlines() if line.startswith("{"))) if d["v"]]
    versions = [d["v"] for d in docs]
    assert versions == list(range(int(since) + 1, versions[-1] + 1)), versions
    assert [d["name"] for d in docs if d["kind"] == "app"] == [f"app-{i}" for i in range(12)]


def test_a_number_from_the_future_gets_all_that_there_is(lab):
    text = lab.controller.out("curl", "-s", "--unix-socket", "/run/sixpn/controller.sock",
                              "http://localhost/v1/events?after=9000000000000000000&timeout=1s")
    assert json.loads(text) == lab.json("events") and lab.json("events")["items"], text


def test_events_are_for_operators(lab):
    token = lab.secret("token", "create", "--org", "acme", "--profile", "admin", "--name", "t")
    for path in ("/v1/events", "/v1/status?after=1&timeout=1s"):
        out = lab.controller.out("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}",
                                 f"http://127.0.0.1:4280{path}")
        assert out == "403", (path, out)
