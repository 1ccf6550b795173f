"""initramfs - the file tree of a test machine: busybox, programs with the libraries they need, kernel modules; packed as the kernel
unpacks it (cpio, "newc"). Nothing of it is made by the machine that runs the tests but what it has installed anyway."""
import os
import pathlib
import re
import stat
import subprocess

MODULE_FIELD = re.compile(rb"\0(depends|alias|name)=([^\0]*)(?=\0)")


class Tree:
    def __init__(self):
        self.entries = {}  # path without leading slash -> (mode, content, device)
        for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "dev", "proc", "sys", "run", "tmp", "var/lib", "var/run/..", "root"):
            self.folder(os.path.normpath(folder))
        for name in ("bin", "sbin", "lib", "lib64"):
            self.link(name, f"usr/{name}")
        self.entries["dev/console"] = (stat.S_IFCHR | 0o600, b"", (5, 1))

    def folder(self, path):
        parts = path.strip("/").split("/")
        for n in range(1, len(parts) + 1):
            self.entries.setdefault("/".join(parts[:n]), (stat.S_IFDIR | 0o755, b"", (0, 0)))

    def _place(self, path):
        """A path as it is in the tree, where /bin and its like are links."""
        path = str(path).strip("/")
        first, _, rest = path.partition("/")
        return f"usr/{path}" if first in ("bin", "sbin", "lib", "lib64") and rest else path

    def text(self, path, text, mode=0o644):
        path = self._place(path)
        if "/" in path:
            self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, text if isinstance(text, bytes) else text.encode(), (0, 0))

    def link(self, path, target):
        path = self._place(path)
        if "/" in path:
            self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, str(target).encode(), (0, 0))

    def file(self, source, path=None):
        """A file, or a whole folder; links inside folders become what they point at."""
        source = pathlib.Path(source)
        path = path or str(source)
        if source.is_dir():
            for name in sorted(os.listdir(source)):
                self.file(source / name, f"{path}/{name}")
        else:
            self.text(path, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def program(self, source, path=None):
        """A program, with the libraries that the loader would give it here."""
        self.file(source, path)
        self.libraries(source)

    def libraries(self, source):
        done = subprocess.run(["ldd", str(source)], capture_output=True, text=True)
        if done.returncode and "not a dynamic" not in done.stdout + done.stderr:
            raise RuntimeError(f"ldd {source}: {done.stdout}{done.stderr}")
        for name in re.findall(r"(?:=> )?(/\S+) \(0x", done.stdout):
            if self._place(name) not in self.entries:
                self.file(name)

    def busybox(self, program):
        """For every command that no real program stands for."""
        self.file(program, "usr/bin/busybox")
        for applet in subprocess.check_output([program, "--list"], text=True).split():
            if applet != "init" and f"usr/bin/{applet}" not in self.entries and f"usr/sbin/{applet}" not in self.entries:
                self.link(f"usr/bin/{applet}", "busybox")

    def pack(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, content, device)) in enumerate([*sorted(self.entries.items()), ("TRAILER!!!", (0, b"", (0, 0)))], 1):
                raw = name.encode() + b"\0"
                fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(raw), 0)
                head = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
                out.write(head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4))


def module_bytes(path):
    return subprocess.check_output(["xz", "-dc", path]) if path.suffix == ".xz" else path.read_bytes()


def add_modules(tree, folder, wanted):
    """Modules of a kernel (folder = lib/modules/<release>) by name, "nft_*" too, with those they need; indexed for modprobe, also by
    alias: the kernel asks for them itself."""
    release = folder.name
    files = {p.name.split(".ko")[0].replace("-", "_"): p for p in folder.rglob("*.ko*")}
    queue = [n for n in files for w in wanted if n == w or (w.endswith("*") and n.startswith(w[:-1]))]
    paths, depends, aliases = {}, {}, []
    while queue:
        name = queue.pop()
        if name in depends:
            continue
        content = module_bytes(files[name])
        fields = [(k.decode(), v.decode()) for k, v in MODULE_FIELD.findall(content)]
        depends[name] = [d.replace("-", "_") for key, value in fields if key == "depends" for d in value.split(",") if d]
        aliases += [(value, name) for key, value in fields if key == "alias"]
        paths[name] = f"kernel/{name}.ko"
        tree.text(f"usr/lib/modules/{release}/{paths[name]}", content)
        queue += depends[name]

    def needs(name, found):
        for other in depends[name]:
            if other not in found:
                needs(other, found)
                found.append(other)
        return found

    index = "".join(f"{paths[name]}: {' '.join(paths[o] for o in reversed(needs(name, [])))}\n" for name in sorted(paths))
    tree.text(f"usr/lib/modules/{release}/modules.dep", index)
    tree.text(f"usr/lib/modules/{release}/modules.alias", "".join(f"alias {a} {n}\n" for a, n in sorted(aliases)))
    tree.text(f"usr/lib/modules/{release}/modules.symbols", "")
    for name in ("modules.builtin",):
        if (folder / name).exists():
            tree.file(folder / name, f"usr/lib/modules/{release}/{name}")
    return sorted(paths)
