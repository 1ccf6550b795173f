"""place.py STATE NAME - prints the nsenter arguments that lead to a node or an instance of a standing demo."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/net"))
from fixture.cell import Cell  # noqa: E402


def instance_pid(pid, wanted):
    """The process of an instance in the cell whose PID 1 is `pid`, as seen from here; None if it is not there."""
    cell = Cell.__new__(Cell)
    cell.pid, cell.name = pid, "cell"
    path = cell.path(f"/run/sixpn/instances/{wanted}/pid")
    return cell.pid_from_inside(int(path.read_text().split()[0])) if path.exists() else None


def main():
    state, name = json.loads(pathlib.Path(sys.argv[1]).read_text()), sys.argv[2]
    cells = state["cells"]
    if name in cells:
        print(f"-t {cells[name]['pid']} -n -m -p -u")
        return 0
    app, _, node = name.partition("@")
    for instance in state["instances"]:
        if name == instance["id"] or (app == f"{instance['org']}/{instance['app']}" and node in ("", instance["host"])):
            pid = instance_pid(cells[instance["host"]]["pid"], instance["id"])
            if pid:
                print(f"-t {pid} -n -m -p -u")
                return 0
    known = list(cells) + [f"{i['org']}/{i['app']}@{i['host']}" for i in state["instances"]]
    print(f"enter: \"{name}\" is not here; there are: {', '.join(known)}", file=sys.stderr)
    return 1


sys.exit(main())
