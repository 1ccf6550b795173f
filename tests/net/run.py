"""Runs the network tests: every tests/net/test_*.py, or those named. A file defines functions `test_...(lab)`; the lab is a cluster
that it asks for by NODES, NODE_ARGS and GATEWAYS (no NODES: `test_...()`). Prints each test's time; a skip prints its reason."""
import importlib
import os
import pathlib
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
    failed = [f for name in names for f in run_file(name)]
    for name in failed:
        print(f"FAILED {name}    again: make test-net T={name.split('.')[0][5:]}")
    return 1 if failed else 0


sys.exit(main())
