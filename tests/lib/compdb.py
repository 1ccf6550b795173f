"""Reads the commands of `make -n` and prints a compile database (compile_commands.json) of the C files."""
import json
import os
import re
import sys

entries = []
for line in sys.stdin.read().replace("\\\n", " ").splitlines():
    for command in line.split("&&"):
        match = re.search(r"^\s*gcc .* -c (\S+\.c) -o \S+", command)
        if match:
            entries.append({"directory": os.getcwd(), "file": match.group(1), "command": command.strip()})
json.dump(sorted(entries, key=lambda e: e["file"]), sys.stdout, indent=1)
print()
