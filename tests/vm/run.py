"""Boots kernels of Debian in QEMU's software emulation and runs tests/vm/guest.py in them: `run.py KERNELS [LANE...]`, where KERNELS
holds what deploy/install-deps.sh vm unpacked. A lane is one kernel; what is missing is said, and its lanes are skipped."""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import threading
import time

from initramfs import Tree, add_modules

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SIXPN_BUILD", ROOT / "build")).resolve()
LANES = {"6.12": r"6\.12\.", "6.1": r"6\.1\.0-"}
LIMIT_S = 1200  # of one lane: a machine that hangs is ended
MODULES = ("wireguard", "tun", "veth", "bridge", "dummy", "af_packet", "nf_tables", "nft_*", "nf_conntrack", "sch_ingress", "cls_bpf",
           "act_bpf", "overlay", "ip6_tables", "ip6table_filter", "xt_mark", "xt_tcpudp", "xt_conntrack", "x_tables", "sch_netem", "sch_prio", "ipv6")
PROGRAMS = ("ip", "tc", "nft", "wg", "wireguard-go", "nsenter", "unshare", "mount", "umount", "ping", "dig", "sysctl", "bpftool", "tcpdump",
            "setsid", "dash", "bash")


def find_kernel(folder, pattern):
    """(vmlinuz, modules) or None."""
    for image in sorted(folder.glob("*/boot/vmlinuz-*")):
        release = image.name.removeprefix("vmlinuz-")
        if re.match(pattern, release):
            return image, next(image.parents[1].glob(f"**/lib/modules/{release}"))
    return None


def userland():
    tree = Tree()
    for name in PROGRAMS:
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not found:
            raise RuntimeError(f"{name} is not installed: make deps")
        tree.program(found, f"usr/bin/{name}")
    python = pathlib.Path("/usr/bin/python3").resolve()
    tree.program(python, "usr/bin/python3")
    library = pathlib.Path("/usr/lib") / python.name
    for entry in sorted(os.listdir(library)):
        if not entry.startswith(("config-", "test", "idlelib", "lib2to3", "ensurepip", "pydoc_data", "distutils")):
            tree.file(library / entry)
    for extension in (library / "lib-dynload").glob("*.so"):
        tree.libraries(extension)
    for path in ("/etc/iproute2", "/etc/protocols", "/etc/services"):
        if os.path.exists(path):
            tree.file(path)
    tree.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    tree.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    tree.text("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n")
    tree.text("etc/nsswitch.conf", "hosts: files dns\n")
    tree.text("etc/resolv.conf", "")
    tree.link("usr/bin/sh", "dash")  # the shell of busybox prefers its own commands to those that are there
    tree.busybox("/bin/busybox")
    tree.link("usr/sbin/modprobe", "../bin/busybox")
    return tree


def add_ours(tree, tests):
    for program in sorted((BUILD / "bin").iterdir()):
        tree.program(program, f"sixpn/build/bin/{program.name}")
    for program in tests:
        tree.program(program, f"sixpn/build/{pathlib.Path(program).resolve().relative_to(BUILD)}")
    for folder in ("tests/net", "tests/vm", "deploy/demo"):
        tree.file(ROOT / folder, f"sixpn/{folder}")
    tree.file(pathlib.Path(__file__).with_name("init"), "init")


def say(lane, line):
    print(f"  {lane:>4} | {line}", flush=True)


def boot(lane, image, initramfs, words):
    """The machine, its words passed on as they come. True: it said that all went well."""
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2048", "-smp", "2", "-nographic", "-no-reboot",
               "-nodefaults", "-serial", "stdio", "-kernel", str(image), "-initrd", str(initramfs), "-append",
               f"console=ttyS0 quiet loglevel=3 panic=-1 random.trust_cpu=on mitigations=off sixpn.words={','.join(words)}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    verdict = None
    for raw in process.stdout:
        line = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc", "", raw.decode(errors="replace")).rstrip()
        end = re.match(r"VM-END (\d+)", line)
        if end:
            verdict = int(end.group(1))
        elif line and not re.search("reboot: Power down|SeaBIOS|Booting from ROM", line):
            say(lane, line)
    process.wait()
    timer.cancel()
    if verdict is None:
        say(lane, f"the machine ended without a word of its own (within {LIMIT_S} s)")
    return verdict == 0


def run_lane(lane, found, words, tests, failed):
    """One kernel from its files to its verdict."""
    began = time.monotonic()
    packed = BUILD / f"tests/vm/{lane}.cpio"
    try:
        tree = userland()
        add_ours(tree, tests)
        add_modules(tree, found[1], MODULES)
        packed.parent.mkdir(parents=True, exist_ok=True)
        tree.pack(packed)
        say(lane, f"{found[0].name}, {packed.stat().st_size >> 20} MiB of files made in {time.monotonic() - began:.1f} s")
        good = boot(lane, found[0], packed, words)
    except Exception as error:  # of a thread: nobody else would see it
        say(lane, f"{type(error).__name__}: {error}")
        good = False
    packed.unlink(missing_ok=True)
    say(lane, f"{'ok' if good else 'FAILED'} in {time.monotonic() - began:.1f} s")
    if not good:
        failed.append(lane)


def main():
    kernels, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
    if not shutil.which("qemu-system-x86_64") or not os.path.exists("/bin/busybox"):
        print("SKIP test-vm: no qemu-system-x86_64 or no /bin/busybox here (as root, deploy/install-deps.sh vm gets them)")
        return 0
    wanted = [w for w in words if w in LANES] or list(LANES)
    words = [w for w in words if w not in LANES]
    tests, failed, threads, started = os.environ.get("VM_TESTS", "").split(), [], [], time.monotonic()
    for lane in wanted:
        found = find_kernel(kernels, LANES[lane])
        if not found:
            print(f"SKIP test-vm {lane}: no image of that kernel in {kernels} (deploy/install-deps.sh vm {kernels})")
            continue
        threads.append(threading.Thread(target=run_lane, args=(lane, found, words, tests, failed)))
        threads[-1].start()  # side by side: most of a test uses one processor
    for thread in threads:
        thread.join()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"test-vm: {len(threads)} of {len(LANES)} kernels in {time.monotonic() - started:.1f} s,"
          f" {used.ru_utime + used.ru_stime:.0f} s of processor time")
    for lane in failed:
        print(f"FAILED test-vm {lane}    again: make test-vm T={lane}")
    return 1 if failed else 0


sys.exit(main())
