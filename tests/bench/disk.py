"""disk - a cell keeps its state in memory; in a bench what is synced shall be on a disk."""
from fixture.cell import BUILD

DISK = BUILD / "tests/bench/state"


def give_disk(cell, folder):
    place = DISK / cell.name / folder.strip("/").replace("/", "_")
    place.mkdir(parents=True)
    cell.out("sh", "-c", f"mkdir -p {folder} && mount --bind {place} {folder}")
