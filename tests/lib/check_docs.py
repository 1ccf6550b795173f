"""check_docs - what the pages tell people to look at or to run is there: links, files, make targets with their T=, R= and ROW=, and the
words and flags of `sixpn` commands. And every guarantee names a command. Prints what is not so; exit 1 if anything is.

    check_docs.py SIXPN        SIXPN: the program, which is asked for its help"""
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").rglob("README.md"))]
sys.path += [str(ROOT / "tests/net"), str(ROOT / "deploy/demo")]
import claims  # noqa: E402

TARGET = re.compile(r"^([a-z][a-z-]*):", re.M)
makefiles = [ROOT / "Makefile", *ROOT.glob("*/module.mk"), *ROOT.glob("tests/*/module.mk"), *ROOT.glob("deploy/*/module.mk")]
TARGETS = {t for m in makefiles for t in TARGET.findall(m.read_text())}
NAMED = {  # what T=, R= or ROW= of a target may be
    ("test-unit", "T"): {p.stem[5:] for p in ROOT.glob("tests/unit/**/test_*.c")},
    ("test-net", "T"): {p.stem[5:] for p in ROOT.glob("tests/net/test_*.py")},
    ("test-bpf", "T"): {p.stem[5:] for p in ROOT.glob("tests/bpf/test_*.c")},
    ("bench", "T"): {p.stem[6:] for p in ROOT.glob("tests/bench/bench_*.*")},
    ("room-test", "R"): {str(p.parent.relative_to(ROOT / "tests/unit")) for p in ROOT.glob("tests/unit/**/test_*.c")},
    # a room takes the targets of the rooms below it
    ("room-fuzz", "R"): {str(d.relative_to(ROOT / "tests/fuzz")) for p in ROOT.glob("tests/fuzz/**/fuzz_*.c") for d in p.parents if ROOT / "tests/fuzz" in d.parents},
    ("demo-sabotage", "ROW"): {row.name for row in claims.rows()},
}
problems = []


def wrong(page, text):
    problems.append(f"{page.relative_to(ROOT)}: {text}")


def check_names(page, target, words):
    for key, value in (w.split("=", 1) for w in words if "=" in w):
        known = NAMED.get((target, key))
        for name in value.split(",") if known is not None else ():
            if name not in known and name != "x":
                wrong(page, f"make {target} {key}={name}: there is none of that name")


def check_make(page, text):
    """`make ...` in text, and `T=...` alone, which is for the target before it, or for the unit tests."""
    target = "test-unit"
    for code in re.findall(r"`([^`]+)`", text) + re.findall(r"^ {4,}(make .*)$", text, re.M):
        words = code.split("#")[0].split(";")[0].split()
        if words[:1] == ["make"] and len(words) > 1:
            target = next((w for w in words[1:] if "=" not in w and not w.startswith("-")), None)
            if target and target not in TARGETS and "/" not in target:
                wrong(page, f"make {target}: there is no such target")
        if words and target and (words[0] == "make" or "=" in words[0]):
            check_names(page, target, words)


def check_links(page, text):
    for link in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in link and not (page.parent / link).exists():
            wrong(page, f"link to {link}, which is not there")
    for path in re.findall(r"`((?:docs|tests|deploy|lib|node|controller|agent|bpf|proto|schema)/[\w./-]+)`", text):
        if not (ROOT / path).exists() and not list(ROOT.glob(path + ".*")):
            wrong(page, f"{path} is not there")


helps = {}


def help_of(words):
    """The help about a noun and verb, or about one that is called otherwise; None: there is no such command."""
    key = tuple(words)
    if key not in helps:
        done = subprocess.run([sys.argv[1], "help", *words], text=True, capture_output=True)
        helps[key] = done.stdout if done.returncode == 0 else None
    return helps[key]


def check_sixpn(page, text):
    text = re.sub(r"not yet:[^|\n]*", "", text)  # what docs/status.md promises
    for code in re.findall(r"`(sixpn [^`]+)`", text) + re.findall(r"^(?: {4,}|\$ )(sixpn .*)$", text, re.M):
        code = code.split(" # ")[0].split(" -- ")[0]
        try:
            words = shlex.split(code.replace("[", " ").replace("]", " "))[1:]
        except ValueError:
            continue
        names = [w for w in words if re.fullmatch(r"[a-z][a-z-]*", w)][:3]
        if not names or names[0] == "help" or words[0].isupper():
            continue
        found = next((h for n in range(len(names), 0, -1) if (h := help_of(names[:n]))), None)
        of_first = help_of(names[:1]) or ""
        takes_words = of_first and not of_first.startswith(f"sixpn {names[0]}:")  # a command without a noun: what follows is its own
        if not found or not (takes_words or help_of(names[:1] if len(names) == 1 else names[:2])):
            wrong(page, f"`sixpn {' '.join(words)}`: there is no such command")
            continue
        for flag in (w.split("=")[0] for w in words if re.match(r"--?[a-z]", w)):
            if flag not in found:
                wrong(page, f"`sixpn {' '.join(words)}`: it has no {flag}")


def check_guarantees(page):
    """Every section says something, and every row of a table with proofs names a command."""
    section, rows, head, lines = None, 1, "", page.read_text().splitlines() + ["## end", ""]
    for line, following in zip(lines, lines[1:]):
        if line.startswith("## "):
            if not rows:
                wrong(page, f"nothing is said under \"{section}\"")
            section, rows = line[3:], 0
        elif following.startswith("|---"):
            head = line
        elif line.startswith("| ") and "proof" in head:
            rows += 1
            cells = line.strip("|").split(" | ")
            if not re.search(r"`(make |T=|python3 )", " ".join(cells[1:])) and "not in this version" not in line:
                wrong(page, f"no command for: {' '.join(cells)[:60]}")


for page in PAGES:
    text = page.read_text()
    for line in text.split("\n\n"):
        for row in line.splitlines() if line.lstrip().startswith("|") else [line]:
            check_make(page, row)
    check_links(page, text)
    check_sixpn(page, text)
check_guarantees(ROOT / "docs/guarantees.md")
print("\n".join(problems) or f"{len(PAGES)} pages: what they name is there")
sys.exit(1 if problems else 0)
