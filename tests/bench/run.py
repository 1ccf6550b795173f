"""run - runs the benches named (programs, or scripts ending in .py), each with the folder of the peers as its argument, and puts every
line that holds a ratio, or says what was left out, into one table at the end."""
import pathlib
import re
import subprocess
import sys
import time

RATIO = re.compile(r"\d x\b|= [\d.]+ of|^SKIP")
peers, summary, failed = sys.argv[1], [], []
if not sys.argv[2:]:
    sys.exit("no bench of that name")

for bench in sys.argv[2:]:
    name = pathlib.Path(bench).stem.removeprefix("bench_")
    print(f"== {name}", flush=True)
    started = time.monotonic()
    argv = ([sys.executable] if bench.endswith(".py") else []) + [bench, peers]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            if RATIO.search(line):
                summary.append(f"{name:<8} {line.strip()}")
    if process.returncode:
        failed.append(name)
    print(f"   ({time.monotonic() - started:.0f} s)\n", flush=True)
print("== ratios of this run")
print("\n".join(summary))
if failed:
    sys.exit(f"failed: {', '.join(failed)}")
