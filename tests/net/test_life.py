"""The life of an instance on a real machine: a daemon killed at any moment of it, commands that cannot be run, crash loops, drains,
forced deletes, and a start that waits for the machines it may speak to, but not for ever."""
import json
import os
import resource
import signal
import time

from fixture.cluster import Instance, wait_until

NODES = [("ord-1", "ord"), ("nrt-1", "nrt")]
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))  # as services are started
RAN = "/run/ran"  # every command of these tests says there that it was started


def spec(script="exec sleep 100000", **more):
    return {"schema": 1, "command": ["/bin/sh", "-c", f"echo $FLY_MACHINE_ID >> {RAN}; {script}"], "drain_ms": 0, **more}


def prepare(lab):
    lab.deploy("acme", "watcher", ["ord", "nrt"], spec())
    lab.settle()


def create(lab, app, wanted, region="ord", wait=False):
    """An app of its own with one instance; returns its id."""
    lab.sixpn("app", "create", app, "--org", "acme", check=False)
    lab.controller.path("/run/spec.json").write_text(json.dumps(wanted))
    before = {i["id"] for i in lab.instances("acme", app)}
    lab.sixpn("instance", "create", "--org", "acme", "--app", app, "--region", region, "--spec", "/run/spec.json",
              *([] if wait else ["--no-wait"]))
    return next(i["id"] for i in lab.instances("acme", app) if i["id"] not in before)


def record(lab, wanted):
    return next((i for i in lab.instances() if i["id"] == wanted), None)


def is_told(lab, wanted, state):
    found = record(lab, wanted)
    return found and found["observed"]["state"] == state and found["observed"]["generation"] == found["generation"] and found


def count_runs(cell, wanted):
    return cell.path(RAN).read_text().split().count(wanted)


def alive(cell, wanted):
    """(shims, processes besides the shim) of an instance: what carries its id in its environment or command line."""
    shims, others = [], []
    for pid, _, command in cell.inner_pids():
        try:
            environment = open(f"/proc/{pid}/environ", "rb").read()
        except OSError:
            continue
        if "sixpn-shim" in command and wanted in command:
            shims.append(pid)
        elif f"FLY_MACHINE_ID={wanted}".encode() in environment:
            others.append(pid)
    return len(shims), len(others)


def sx_devices(cell):
    return sorted(link["ifname"] for link in json.loads(cell.out("ip", "-j", "link", "show")) if link["ifname"].startswith("sx"))


def kill_daemon(lab, name):
    lab.stop_node(name, signal.SIGKILL)
    lab.start_node(name)
    wait_until(lambda: lab.answers(name), 10, f"the daemon of {name} is up")


def after(milliseconds):
    """The moment of the kill, which is what these tests vary."""
    time.sleep(milliseconds / 1000)


def test_a_daemon_killed_during_a_start_starts_it_once(lab):
    cell = lab.nodes["ord-1"]
    for delay in (0, 5, 15, 30, 45, 60, 90, 130):
        wanted = create(lab, "started", spec())
        after(delay)
        kill_daemon(lab, "ord-1")
        wait_until(lambda: is_told(lab, wanted, "started"), 15, f"started although the daemon was killed after {delay} ms")
        assert count_runs(cell, wanted) == 1, f"{delay} ms: its command ran {count_runs(cell, wanted)} times"
        assert alive(cell, wanted) == (1, 1), f"{delay} ms: {alive(cell, wanted)}"
        assert record(lab, wanted)["observed"]["restarts"] == 0


def test_a_daemon_killed_during_a_delete_leaves_nothing(lab):
    cell = lab.nodes["ord-1"]
    for delay, found in zip((0, 10, 30, 60, 110, 160, 220, 300), lab.instances("acme", "started")):
        wanted, before = found["id"], len(sx_devices(cell))
        lab.sixpn("instance", "delete", wanted, "--yes", "--no-wait")
        after(delay)
        kill_daemon(lab, "ord-1")
        wait_until(lambda: record(lab, wanted) is None, 15, f"gone although the daemon was killed after {delay} ms")
        assert alive(cell, wanted) == (0, 0), f"{delay} ms: {alive(cell, wanted)}"
        assert len(sx_devices(cell)) == before - 1, f"{delay} ms: {sx_devices(cell)}"
        wait_until(lambda: not cell.path(f"/run/sixpn/instances/{wanted}").exists(), 5, "its folder is gone")


def test_a_daemon_killed_during_restarts_in_place_keeps_one_process(lab):
    cell = lab.nodes["ord-1"]
    wanted = create(lab, "again", spec(), wait=True)
    for delay in (0, 10, 30, 60, 100):
        lab.sixpn("instance", "restart", wanted, "--no-wait")
        after(delay)
        kill_daemon(lab, "ord-1")
        wait_until(lambda: is_told(lab, wanted, "started"), 15, f"started again although the daemon was killed after {delay} ms")
        assert alive(cell, wanted) == (1, 1), f"{delay} ms: {alive(cell, wanted)}"
    assert count_runs(cell, wanted) == 6
    assert record(lab, wanted)["observed"]["restarts"] == 0, "a restart that was asked for is none of its own"


def test_a_command_that_cannot_be_run_is_never_told_as_started(lab):
    wanted = create(lab, "nothing", {"schema": 1, "command": ["/no/such/program"]})
    found = wait_until(lambda: is_told(lab, wanted, "failed"), 10, "failed")
    assert found["observed"]["message"] == "its command: cannot run /no/such/program: No such file or directory", found["observed"]
    log = (lab.logs / "ord-1-node.log").read_text()
    assert f"{wanted} is failed" in log and f"{wanted} is started" not in log
    watcher = lab.instance("acme", "watcher", "nrt-1")
    assert watcher.dig("nothing.internal", "AAAA") == []
    lab.sixpn("instance", "delete", wanted, "--yes")


def test_what_a_customer_writes_does_not_silence_its_host(lab):
    """The reason of a failure quotes the customer's own text: cut in the middle of a letter, or with a control character in it."""
    for command in ("/x" + "\u00e9" * 100, "/\u0001\u001b[2J"):
        wanted = create(lab, "strange", {"schema": 1, "command": [command]})
        found = wait_until(lambda: is_told(lab, wanted, "failed"), 10, "failed")
        assert found["observed"]["message"].startswith("its command: cannot run /"), found["observed"]
        other = create(lab, "plain", spec(), wait=True)  # its host is heard all the same
        for each in (wanted, other):
            lab.sixpn("instance", "delete", each, "--yes")


def test_daemons_have_all_the_files_they_may_have_and_commands_the_usual(lab):
    """Each instance costs its host descriptors; 1024 would be used up by some hundreds of them."""
    def limits(pid):
        line = next(line for line in open(f"/proc/{pid}/limits") if line.startswith("Max open files"))
        return line.split()[3:5]

    for cell, program in ((lab.nodes["ord-1"], "sixpn-node"), (lab.controller, "sixpn-controller")):
        soft, hard = limits(cell.pids_of(program)[0])
        assert soft == hard, (program, soft, hard)
    assert limits(lab.instance("acme", "watcher", "ord-1").pid)[0] == "1024"


def test_a_crash_loop_is_counted_and_told_with_its_exit_code(lab):
    wanted = create(lab, "crashing", spec("exit 7", restart="on-failure"))
    found = wait_until(lambda: (f := record(lab, wanted)) and f["observed"]["restarts"] >= 2 and f["observed"]["state"] == "failed" and f,
                       15, "two restarts")
    assert found["observed"]["exit_code"] == 7, found["observed"]
    assert count_runs(lab.nodes["ord-1"], wanted) == found["observed"]["restarts"] + 1
    lab.sixpn("instance", "delete", wanted, "--yes")  # in its back-off
    assert record(lab, wanted) is None
    finished = create(lab, "finished", spec("exit 0", restart="on-failure"))
    wait_until(lambda: is_told(lab, finished, "stopped"), 10, "ended well, and left so")
    lab.sixpn("instance", "delete", finished, "--yes")


def test_what_drains_is_out_of_the_names_at_once_and_still_served(lab):
    watcher = lab.instance("acme", "watcher", "nrt-1")
    for verb in ("stop", "delete"):
        wanted = create(lab, "draining", spec(drain_ms=2500), wait=True)
        place = Instance(lab, record(lab, wanted))
        wait_until(lambda: watcher.dig("draining.internal", "AAAA") == [place.address], 5, "it has a name")
        lab.sixpn("instance", verb, wanted, "--no-wait", *(["--yes"] if verb == "delete" else []))
        wait_until(lambda: watcher.dig("draining.internal", "AAAA") == [], 5, "out of the names of the other machine")
        assert is_told(lab, wanted, "draining"), record(lab, wanted)
        assert watcher.run("ping", "-6", "-c1", "-W2", "-n", place.address).returncode == 0, f"{verb}: it is drained, not cut off"
        lab.sixpn("instance", "delete", wanted, "--yes", "--no-wait")  # the name stays away, the drain time stays what it was
        assert alive(place.cell, wanted) == (1, 1), verb
        wait_until(lambda: record(lab, wanted) is None, 10, "gone after the drain time")
        assert alive(place.cell, wanted) == (0, 0), verb


def test_a_forced_delete_is_a_record_that_vanishes(lab):
    cell = lab.nodes["ord-1"]
    wanted = create(lab, "forced", spec("trap '' TERM; sleep 100000", drain_ms=60000, stop_timeout_ms=60000), wait=True)
    lab.sixpn("instance", "delete", wanted, "--yes", "--force", "--no-wait")
    assert record(lab, wanted) is None
    wait_until(lambda: alive(cell, wanted) == (0, 0), 5, "stopped at once, without being gentle")
    wait_until(lambda: not cell.path(f"/run/sixpn/instances/{wanted}").exists(), 5, "its folder is gone")


def test_a_full_run_folder_stops_nothing_and_is_told(lab):
    cell = lab.nodes["ord-1"]
    runs, ends = create(lab, "tight", spec(), wait=True), create(lab, "tight", spec(), wait=True)
    cell.run("sh", "-c", "for size in 1M 1k 1; do dd if=/dev/zero of=/run/filler$size bs=$size; done")
    try:
        late = create(lab, "tight", spec())
        found = wait_until(lambda: is_told(lab, late, "failed"), 10, "what cannot be started is told")
        assert found["observed"]["message"] == "its files cannot be written: No space left on device", found["observed"]
        lab.sixpn("instance", "delete", ends, "--yes")
        assert record(lab, ends) is None and alive(cell, ends) == (0, 0)
        kill_daemon(lab, "ord-1")
        wait_until(lambda: lab.node_status("ord-1")["sync"]["synced"], 10, "the next daemon is in step")
        assert alive(cell, runs) == (1, 1)
    finally:
        cell.out("sh", "-c", "rm -f /run/filler*")
    wait_until(lambda: is_told(lab, late, "started"), 20, "started once there is room")
    assert is_told(lab, runs, "started")["observed"]["restarts"] == 0
    for wanted in (runs, late):
        lab.sixpn("instance", "delete", wanted, "--yes")


def start_machine_anew(lab, name):
    """What a machine start takes away: every process, all that is in memory, devices, routes, pins, rules. Disks stay."""
    cell = lab.nodes[name]
    for pid, inner, _ in cell.inner_pids():
        if inner != 1:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    cell.daemons["node"].wait()
    wait_until(lambda: len(cell.inner_pids()) == 1, 10, "nothing runs")
    cell.out("sh", "-c", "rm -rf /run/sixpn /run/wireguard /sys/fs/bpf/sixpn; nft flush ruleset; ip -6 rule flush; "
                         "ip -6 rule add priority 32766 lookup main; ip -6 route flush table 6000; ip -6 addr del fdaa::3/128 dev lo; "
                         "for d in $(ls /sys/class/net | grep -E '^(sx|sixpn)'); do ip link del $d; done; true")
    assert not sx_devices(cell)
    lab.start_node(name)


def test_a_machine_that_starts_anew_starts_what_is_wanted_and_nothing_else(lab):
    runs, finished = create(lab, "boots", spec(), wait=True), create(lab, "boots", spec("exit 0", restart="on-failure"))
    stopped = create(lab, "boots", spec(), wait=True)
    lab.sixpn("instance", "stop", stopped)
    wait_until(lambda: is_told(lab, finished, "stopped"), 10, "ended, and left so by its policy")
    cell = lab.nodes["ord-1"]
    before = {wanted: count_runs(cell, wanted) for wanted in (runs, finished, stopped)}
    start_machine_anew(lab, "ord-1")
    wait_until(lambda: lab.answers("ord-1") and lab.node_status("ord-1")["sync"]["synced"], 20, "the daemon is in step")
    wait_until(lambda: alive(cell, runs) == (1, 1) and is_told(lab, runs, "started"), 20, "started again")
    watcher = lab.instance("acme", "watcher", "nrt-1")
    place = Instance(lab, record(lab, runs))
    wait_until(lambda: watcher.run("ping", "-6", "-c1", "-W1", "-n", place.address).returncode == 0, 10, "it is reached")
    assert place.address in watcher.dig("boots.internal", "AAAA")
    for wanted in (finished, stopped):
        assert alive(cell, wanted) == (0, 0) and is_told(lab, wanted, "stopped"), record(lab, wanted)
        assert count_runs(cell, wanted) == before[wanted]
    for wanted in (runs, finished, stopped):
        lab.sixpn("instance", "delete", wanted, "--yes")


def test_a_controller_that_went_back_converges_by_what_hosts_report(lab):
    """Its database is put back to what it was before a stop and before a restart: hosts have acted on wishes it does not know."""
    stopped, restarted = create(lab, "old", spec(), wait=True), create(lab, "old", spec(), wait=True)
    store = "/var/lib/sixpn/controller"

    def kill_controller():
        lab.controller.signal("sixpn-controller", signal.SIGKILL)
        lab.controller.daemons["controller"].wait()

    kill_controller()
    lab.controller.out("cp", "-a", store, "/var/lib/sixpn/before")
    lab.start_controller()
    wait_until(lab.ready, 30, "all ready")
    lab.sixpn("instance", "stop", stopped)
    lab.sixpn("instance", "restart", restarted)
    place = Instance(lab, record(lab, restarted))
    assert (record(lab, stopped)["generation"], record(lab, restarted)["generation"]) == (2, 2)
    kill_controller()
    lab.controller.out("sh", "-c", f"rm -r {store} && mv /var/lib/sixpn/before {store}")
    lab.start_controller()

    def is_at(wanted, generation):
        found = is_told(lab, wanted, "started")
        return found and found["generation"] == generation and found

    wait_until(lambda: is_at(stopped, 3), 30, "started, as the controller wants it now")
    found = wait_until(lambda: is_at(restarted, 2), 30, "taken over as it is")
    assert Instance(lab, found).pid == place.pid, found
    for wanted in (stopped, restarted):
        lab.sixpn("instance", "delete", wanted, "--yes")


def timeouts(lab):
    return lab.node_status("ord-1")["presence_timeouts"]


def test_a_start_waits_for_the_machines_of_its_network(lab):
    """A network new to ord-1: those who have it must let ord-1 speak first. Nobody is late, so nothing is counted."""
    lab.deploy("globex", "first", ["nrt"], spec())
    lab.settle()
    before = timeouts(lab)
    lab.deploy("globex", "second", ["ord"], spec())
    lab.settle()
    assert timeouts(lab) == before


def test_but_not_for_one_that_does_not_answer(lab):
    lab.deploy("initech", "first", ["nrt"], spec())
    lab.settle()
    before = timeouts(lab)
    lab.nodes["nrt-1"].signal("sixpn-node", signal.SIGSTOP)
    try:
        lab.sixpn("app", "create", "second", "--org", "initech", "--no-wait")
        lab.controller.path("/run/spec.json").write_text(json.dumps(spec()))
        lab.sixpn("instance", "create", "--org", "initech", "--app", "second", "--region", "ord", "--spec", "/run/spec.json", "--no-wait")
        wait_until(lambda: all(i["observed"]["state"] == "started" for i in lab.instances("initech", "second")), 10, "started all the same")
        assert timeouts(lab) == before + 1
    finally:
        lab.nodes["nrt-1"].signal("sixpn-node", signal.SIGCONT)
    wait_until(lab.ready, 20, "all ready")
