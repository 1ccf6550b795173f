"""What runs inside a test machine. Words from the kernel's command line choose steps; none = all. The exit code is the verdict."""
import collections
import os
import pathlib
import re
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ["SIXPN_BUILD"])
STEPS = []
LIMIT_S = 200


def step(function):
    STEPS.append(function)
    return function


def stacks(pid):
    """Where the kernel has its threads."""
    return "".join(f"{task.name} {(task / 'wchan').read_text()}\n{(task / 'stack').read_text()}" for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


def run_limited(program):
    """(exit code, all it said); one that hangs is left alone, and shown as far as it came."""
    with open("/tmp/said", "w+") as said:
        process = subprocess.Popen([program], stdout=said, stderr=subprocess.STDOUT)
        end = ""
        try:
            code = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            code, end = -1, f"not over after {LIMIT_S} s\n{stacks(process.pid)}"
            process.kill()
        said.seek(0)
        return code, said.read() + end


def programs(folder):
    """Test programs in order; each prints its own reason if it skips."""
    failed = []
    for program in sorted((BUILD / folder).glob("test_*")):
        started = time.monotonic()
        code, output = run_limited(program)
        ran = sum(int(n) for n in re.findall(r"(\d+) test\(s\) run", output))
        skips = collections.Counter(line.strip() for line in output.splitlines() if "SKIP:" in line)
        print(f"{program.name}: {'ok' if code == 0 else 'FAILED'}, {ran} tests, {time.monotonic() - started:.1f} s", flush=True)
        for reason, times in skips.items():
            print(f"   {reason}{f' ({times} times)' if times > 1 else ''}", flush=True)
        for line in output.splitlines():
            if line.startswith("FIGURE "):
                print(f"   {line[7:]}", flush=True)
        if code:
            failed.append(program.name)
            print("\n".join(output.splitlines()[-60:]), flush=True)
    return failed


@step
def wg():
    """The WireGuard backends, held to the same expectations."""
    return programs("tests/unit/lib/netlink")


@step
def bpf():
    """What the verifier of this kernel says of our programs; their rows, attaching, upgrades."""
    return programs("tests/bpf")


@step
def cluster():
    """Daemons on kernel devices."""
    import cluster as lab
    return lab.run()


@step
def scale():
    """20,000 peers. Comes last: the kernel takes minutes to take their namespace down."""
    return programs("tests/vm")


def main():
    words = re.search(r"sixpn\.words=(\S*)", pathlib.Path("/proc/cmdline").read_text())
    wanted = [w for w in (words.group(1).split(",") if words else []) if w]
    print(f"Linux {os.uname().release}, {os.cpu_count()} processors, up {pathlib.Path('/proc/uptime').read_text().split()[0]} s", flush=True)
    failed = []
    for work in STEPS:
        if wanted and work.__name__ not in wanted:
            continue
        started = time.monotonic()
        failed += work()
        print(f"-- {work.__name__}: {time.monotonic() - started:.1f} s", flush=True)
    for name in failed:
        print(f"FAILED {name}")
    return 1 if failed else 0


sys.exit(main())
