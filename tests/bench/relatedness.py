"""Whether birds choose birds, cars choose cars and toys choose toys as their source.

Run `python -m tests.bench.relatedness [--seeds N] [--kinds birds cars]`. Birds are divided into two
sources by species, crops of cars by angle, toy vehicles by body; for each, all others are ranked.
Real images are those of `../shared/data`, toys are drawn.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec
from PySide6.QtCore import QCoreApplication

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.transfer.relatedness import compare_task
from workbench.demo.toys import BODIES, VIEWS, save_toy
from workbench.domain.relatedness import Relatedness, RelatednessRequest
from workbench.storage.project import Project

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
Sets = Mapping[str, Mapping[str, Sequence[Path]]]


def real_sets(data: Path) -> dict[str, dict[str, list[Path]]]:
    """Birds and cars, each in two halves that share no class."""
    birds = sorted(folder for folder in (data / "birds6").iterdir() if folder.is_dir())
    angles = [data / "car-views" / f"{angle}_degrees" for angle in range(0, 360, 30)]
    halves = {
        "birds A": birds[::2],
        "birds B": birds[1::2],
        "cars A": angles[::2],
        "cars B": angles[1::2],
    }
    return {
        name: {folder.name: sorted(folder.glob("*.*")) for folder in folders}
        for name, folders in halves.items()
    }


def toy_sets(folder: Path, each: int = 12) -> dict[str, dict[str, list[Path]]]:
    """Toy vehicles in two halves by body, with all four views of each."""
    found: dict[str, dict[str, list[Path]]] = {}
    for name, bodies in (("toys A", range(0, 6)), ("toys B", range(6, 12))):
        for body in bodies:
            for view in VIEWS:
                for n in range(each):
                    path = folder / f"{BODIES[body]}-{view}-{n}.jpg"
                    save_toy(path, body, view, n)
                    found.setdefault(name, {}).setdefault(BODIES[body], []).append(path)
    return found


def make(folder: Path, name: str, classes: Mapping[str, Sequence[Path]]) -> Path:
    """Create a project of images with their classes; return its folder."""
    session = Session(Project.create(folder / name.replace(" ", "-")))
    lines = [f"{path} {label}" for label, paths in classes.items() for path in paths]
    listed = folder / f"{name}.txt"
    listed.write_text("\n".join(lines))
    outcome = run_here(import_task(session, [listed], {"category": "list"}))
    assert isinstance(outcome, Done), outcome
    project = session.store.folder
    session.close()
    return project


def ask(projects: Mapping[str, Path], target: str, request: RelatednessRequest) -> Relatedness:
    sources = {name: (place, "category") for name, place in projects.items() if name != target}
    with closing(Session(Project.open(projects[target]))) as session:
        outcome = run_here(compare_task(session, "category", sources, request))
    assert isinstance(outcome, Done), outcome
    return outcome.value


def measure(sets: Sets, folder: Path, request: RelatednessRequest, seeds: int) -> int:
    """Print the choices; return how many are of another kind."""
    wrong = 0
    projects = {name: make(folder, name, classes) for name, classes in sets.items()}
    for seed in range(seeds):
        for target in projects:
            began = time.monotonic()
            found = ask(projects, target, msgspec.structs.replace(request, seed=seed))
            first = found.sources[0]
            right = first.name.split()[0] == target.split()[0]
            wrong += not right
            reported = ", ".join(f"{s.name} {s.doa:.2f}" for s in found.sources)
            print(
                f"seed {seed}: {target} -> {reported}{'' if right else '  WRONG'} "
                f"({found.target_images} images, {time.monotonic() - began:.0f} s)",
                flush=True,
            )
    return wrong


def main() -> int:
    usual = RelatednessRequest(domains=(), seed=0)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="+", default=["birds", "cars", "toys"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=usual.side)
    parser.add_argument("--steps", type=int, default=usual.steps)
    parser.add_argument("--networks", type=int, default=usual.networks)
    options = parser.parse_args()
    QCoreApplication.instance() or QCoreApplication([])
    request = RelatednessRequest(
        domains=(), seed=0, side=options.side, steps=options.steps, networks=options.networks
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "toys").mkdir()
        sets = toy_sets(folder / "toys")
        if options.data.is_dir():
            sets = {**real_sets(options.data), **sets}
        sets = {name: made for name, made in sets.items() if name.split()[0] in options.kinds}
        wrong = measure(sets, folder, request, options.seeds)
        asked = options.seeds * len(sets)
    print(f"{asked - wrong} of {asked} picked a source of their own kind")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
