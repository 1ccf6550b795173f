"""exposition - a strict reader of Prometheus' text format (0.0.4), for tests: what it accepts, every scraper does. Stricter than the
format where our own rules are: every family has HELP and TYPE, once, before its samples and in one piece; no series twice; counters end
in _total, nothing else does; histograms are complete, cumulative and end with +Inf. As a program it reads standard input."""
import math
import re
import sys

NAME = re.compile(r"sixpn(_[a-z0-9]+)+$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
UNITS = ("_seconds", "_bytes", "_info")


class Bad(Exception):
    pass


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        if not found:
            raise Bad(f"labels: {text!r}")
        if found.group(1) in labels:
            raise Bad(f"label twice: {text!r}")
        labels[found.group(1)] = re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), found.group(2))
        at = found.end()
        if found.group(3) == "," and at == len(text):
            raise Bad(f"comma at the end: {text!r}")
    return labels


def check_name(name, kind):
    if not NAME.match(name):
        raise Bad(f"{name}: not sixpn_<part>_<what>")
    if (kind == "counter") != name.endswith("_total"):
        raise Bad(f"{name}: a {kind}; counters and only they end in _total")
    if kind == "histogram" and not name.endswith(UNITS):
        raise Bad(f"{name}: a histogram without its unit")
    if name.endswith(("_ms", "_milliseconds", "_us", "_kb")):
        raise Bad(f"{name}: not in base units")


def check_histogram(name, samples):
    groups = {}
    for sample, labels, value in samples:
        key = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
        groups.setdefault(key, {}).setdefault(sample[len(name):], []).append((labels.get("le"), value))
    for key, parts in groups.items():
        if set(parts) != {"_bucket", "_sum", "_count"} or len(parts["_sum"]) != 1 or len(parts["_count"]) != 1:
            raise Bad(f"{name}{key}: has {sorted(parts)}")
        bounds = [float(le.replace("+Inf", "inf")) for le, _ in parts["_bucket"]]
        counts = [value for _, value in parts["_bucket"]]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf or counts != sorted(counts):
            raise Bad(f"{name}{key}: buckets {parts['_bucket']}")
        if counts[-1] != parts["_count"][0][1]:
            raise Bad(f"{name}{key}: +Inf and _count differ")


def parse(text):
    """{family: {"type", "help", "samples": [(name, labels, value)]}}; Bad if it is wrong anywhere."""
    families, current, seen = {}, None, set()
    if not text.endswith("\n"):
        raise Bad("the last line has no end")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, help_text = line[7:].partition(" ")
            if name in families or not help_text:
                raise Bad(f"HELP twice or empty: {line!r}")
            current = families[name] = {"type": None, "help": help_text, "samples": [], "name": name}
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            if not current or current["name"] != name or current["type"] or current["samples"]:
                raise Bad(f"TYPE out of place: {line!r}")
            if kind not in ("counter", "gauge", "histogram"):
                raise Bad(line)
            current["type"] = kind
            check_name(name, kind)
        else:
            found = SAMPLE.match(line)
            if not found or not current or not current["type"]:
                raise Bad(f"sample out of place: {line!r}")
            sample, labels, value = found.group(1), parse_labels(found.group(2) or ""), float(found.group(3))
            suffixes = ("_bucket", "_sum", "_count") if current["type"] == "histogram" else ("",)
            if sample not in [current["name"] + s for s in suffixes]:
                raise Bad(f"sample of another family: {line!r}")
            if ("le" in labels) != sample.endswith("_bucket"):
                raise Bad(f"le: {line!r}")
            key = (sample, tuple(sorted(labels.items())))
            if key in seen:
                raise Bad(f"series twice: {line!r}")
            seen.add(key)
            if current["type"] == "counter" and not value >= 0:
                raise Bad(f"counter below 0: {line!r}")
            current["samples"].append((sample, labels, value))
    for name, family in families.items():
        if not family["samples"]:
            raise Bad(f"{name}: HELP without a sample")
        if len({tuple(sorted(k for k in labels if k != "le")) for _, labels, _ in family["samples"]}) != 1:
            raise Bad(f"{name}: its series have different labels")
        if family["type"] == "histogram":
            check_histogram(name, family["samples"])
    return families


def value(families, name, **labels):
    """The one sample of that name with (at least) these labels."""
    family = next(f for n, f in families.items() if name == n or (f["type"] == "histogram" and name.startswith(n)))
    found = [v for sample, have, v in family["samples"] if sample == name and labels.items() <= have.items()]
    if len(found) != 1:
        raise LookupError(f"{name}{labels}: {len(found)} samples")
    return found[0]


if __name__ == "__main__":
    try:
        parse(sys.stdin.buffer.read().decode())
    except (Bad, ValueError) as error:
        sys.exit(f"bad exposition: {error}")
