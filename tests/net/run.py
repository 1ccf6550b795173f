"""Runs the network tests: every tests/net/test_*.py, or those named. A file defines functions `test_...(lab)`; the lab is a cluster
that it asks for by NODES, NODE_ARGS and GATEWAYS (no NODES: `test_...()`). Prints each test's time; a skip prints its reason.

Files mostly wait, and each stands on namespaces of its own: several run at once, JOBS of them (default: one more than processors), each in a
process of its own whose words come together when it ends. One that says ALONE = True, because it looks at the whole machine, runs after
them, by itself. A file that failed beside others runs once more, alone, and what both runs said is printed (docs/decisions/0034);
STRICT=1: it does not."""
import concurrent.futures
import importlib
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from fixture.cluster import Cluster, Skip  # noqa: E402


def run_file(name):
    module = importlib.import_module(name)
    tests = [(key, value) for key, value in vars(module).items() if key.startswith("test_") and callable(value)]
    lab, failed = None, []
    print(f"== {name}", flush=True)
    try:
        if getattr(module, "NODES", None):
            started = time.monotonic()
            lab = Cluster(module.NODES, node_args=getattr(module, "NODE_ARGS", ()), gateways=getattr(module, "GATEWAYS", None))
            lab.up()
            if hasattr(module, "prepare"):
                module.prepare(lab)
            print(f"   cluster of {len(module.NODES)} nodes in {time.monotonic() - started:.1f} s", flush=True)
        for key, test in tests:
            started = time.monotonic()
            try:
                test(lab) if lab else test()
                word = "ok"
            except Skip as reason:
                word = f"SKIP: {reason}"
            except Exception:
                word = "FAIL"
                failed.append(f"{name}.{key}")
                traceback.print_exc()
            print(f"   {key[5:].replace('_', ' ')}: {word} ({time.monotonic() - started:.1f} s)", flush=True)
    except Exception:
        failed.append(name)
        traceback.print_exc()
    finally:
        if lab:
            if failed:
                print(f"   logs: {lab.logs}")
            lab.stop()
    return failed


def run_apart(name):
    done = subprocess.run([sys.executable, __file__, name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    print(done.stdout, end="", flush=True)
    return name if done.returncode else None


def is_alone(name):
    return re.search(r"^ALONE = True", (HERE / f"{name}.py").read_text(), re.M) is not None


def run_many(names):
    alone = [name for name in names if is_alone(name)]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS") or os.cpu_count() + 1)) as pool:
        flaky = [name for name in pool.map(run_apart, (n for n in names if n not in alone)) if name]
    failed = flaky
    if flaky and not os.environ.get("STRICT"):
        print(f"FLAKY, failed beside others and runs again alone: {', '.join(flaky)}", flush=True)
        again = [name for name in map(run_apart, flaky) if name]
        failed = flaky if len(flaky) > 3 else again  # so many are no accident
    failed += [name for name in map(run_apart, alone) if name]
    if failed:
        print("FAILED in " + ", ".join(failed))
    return 1 if failed else 0


def main():
    if os.geteuid():
        print("SKIP test-net: network namespaces need root")
        return 0
    wanted = sys.argv[1:]
    names = sorted(p.stem for p in HERE.glob("test_*.py"))
    unknown = [w for w in wanted if w not in names and f"test_{w}" not in names]
    if unknown:
        sys.exit(f"no test of that name: {', '.join(unknown)}")  # a proof that runs nothing proves nothing
    if wanted:
        names = [n for n in names if n in wanted or n[5:] in wanted]
    if len(names) > 1:
        return run_many(names)
    failed = [f for name in names for f in run_file(name)]
    for name in failed:
        print(f"FAILED {name}    again: make test-net T={name.split('.')[0][5:]}")
    return 1 if failed else 0


sys.exit(main())
