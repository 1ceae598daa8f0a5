"""Three candidates of a transfer with a shared cache, compared with three separate trainings.

Run `OMP_NUM_THREADS=1 python -m tests.bench.transfer_time [birds|cars|birds6] [--epochs N]
[--seeds N] [--each N]`. Sources and targets are birds6 in two halves of three species, or car-views
in two of six angles; the target is split half and half; SqueezeNet 1.0 with ImageNet weights. For
`birds6`, the whole set with ImageNet as the only source, the transfer is three candidates and the
vote. Candidates are trained as in a transfer and, in turn, with sharing turned off. Prints wall and
processor time, their ratios, and the accuracies. Bounds: mean accuracy of the candidates within 0.5
points, and the candidates together faster than separately.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from PySide6.QtCore import QCoreApplication

from tests.bench.real_input import cases, import_case
from tests.bench.relatedness import DATA, make, real_sets
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split
from workbench.app.training.training import training_task
from workbench.app.transfer import transferring
from workbench.app.transfer.sources import written_source
from workbench.app.transfer.transfer_runs import TransferStage, steps
from workbench.app.transfer.transferring import latest
from workbench.domain.recipes import parse_toml
from workbench.domain.reports import Note
from workbench.domain.splits import Part, SplitPlan
from workbench.domain.transfers import CANDIDATE_LAYERS, VIEWS, TransferRequest, elect, frozen_stage
from workbench.storage.project import Project

POINTS = 0.5
Spent = dict[str, list[tuple[float, float]]]  # seconds by the clock and of processors, by what for
Reached = dict[str, list[float]]  # top-1 in per cent


@contextmanager
def timed(spent: Spent, what: str) -> Iterator[None]:
    """Add the time of the block to `spent`, child processes included."""
    began, used = time.perf_counter(), _used()
    yield
    spent.setdefault(what, []).append((time.perf_counter() - began, _used() - used))


def _used() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


def train(session: Session, run: str) -> float:
    """Top-1 accuracy on the test part, in %."""

    def show(report: object) -> None:
        if isinstance(report, Note) and "maps" in report.text.lower():
            print(f"    {report.text}", flush=True)

    outcome = run_here(training_task(session, run), show)
    assert isinstance(outcome, Done), outcome
    return 100 * float(session.store.runs.get(run).metrics["test"]["top1"])


def run_transfer(
    session: Session, request: TransferRequest, spent: Spent, reached: dict[str, list[float]]
) -> None:
    """Run a whole transfer; each candidate's training is followed by one that shares nothing."""
    transfer = transferring.begin(session, request)
    for step in steps(session, transfer):
        if step.task is not None:
            with timed(spent, "comparing" if step.stage is TransferStage.COMPARE else "preparing"):
                assert isinstance(run_here(step.task), Done)
        elif step.stage is TransferStage.SOURCE:
            with timed(spent, "source"):
                print(f"  source: {train(step.session, step.runs[0]):.2f} %", flush=True)
        else:
            for run in step.runs:
                _beside(session, run, spent, reached)
    found = latest(session, transfer)
    votes = ", ".join(f"{c.frozen} {c.votes}" for c in found.candidates)
    print(f"  votes of {found.voted}: {votes}; winner {found.winner}", flush=True)


def candidates_of_imagenet(
    data: Path, folder: Path, seed: int, epochs: int, spent: Spent, reached: Reached
) -> None:
    """Train three candidates on all of birds6 from ImageNet, with and without a shared cache."""
    case = cases(data)["birds6"]
    session = Session(Project.create(folder / f"birds6 {seed}"))
    try:
        import_case(session, case, data, folder)
        split(session, SplitPlan(**case.plan, seed=seed), (case.target,))
        output: dict[str, dict[int, str]] = {}
        for layers in CANDIDATE_LAYERS:
            stage = frozen_stage("squeezenet1_0", layers)
            keys = {"target": case.target, "seed": seed, "frozen": stage, **case.chosen}
            keys |= {"cache": VIEWS, "precision": "bf16", **({"epochs": epochs} if epochs else {})}
            run = prepare(session, keys).id
            _beside(session, run, spent, reached)
            table = session.store.runs.predictions(run, Part.TEST)
            pairs = zip(table.images.tolist(), table.predicted.tolist(), strict=True)
            output[stage] = {image: str(label) for image, label in pairs}
        found = elect(output, seed)
        votes = ", ".join(f"{each.name} {each.votes}" for each in found.candidates)
        print(f"  votes of {found.images}: {votes}; winner {found.winner}", flush=True)
    finally:
        session.close()


def _beside(session: Session, run: str, spent: Spent, reached: Reached) -> None:
    recipe = parse_toml(session.store.runs.get(run).recipe_toml, run)
    alone = prepare(session, {**recipe, "cache": 0}, "shares nothing")
    for what, own in (("shared", run), ("alone", alone.id)):
        with timed(spent, what):
            reached[what].append(train(session, own))
        clock, used = spent[what][-1]
        print(
            f"  {recipe['frozen']} {what}: {reached[what][-1]:.2f} %, {clock:.1f} s "
            f"({used:.1f} s of processor), {recipe['precision']}",
            flush=True,
        )


def print_results(spent: Spent, reached: Reached) -> bool:
    """Print the sums and ratios; return whether the accuracy holds."""
    total = {what: [sum(pair[at] for pair in spent[what]) for at in (0, 1)] for what in spent}
    before = [total[what] for what in ("comparing", "source") if what in total]
    first = [sum(pair[at] for pair in before) for at in (0, 1)]
    for what, words in (("shared", "with a shared cache"), ("alone", "sharing nothing")):
        clock, used = total[what]
        print(
            f"three candidates {words}: {clock:.1f} s (processor {used:.1f} s); whole transfer "
            f"{first[0] + clock:.1f} s ({first[1] + used:.1f} s)"
        )
    of_candidates = [total["alone"][at] / total["shared"][at] for at in (0, 1)]
    of_whole = [
        (first[at] + total["alone"][at]) / (first[at] + total["shared"][at]) for at in (0, 1)
    ]
    print(f"ratio of the candidates {of_candidates[0]:.2f} × (processor {of_candidates[1]:.2f} ×)")
    print(f"ratio of the whole {of_whole[0]:.2f} × (processor {of_whole[1]:.2f} ×)")
    one = [first[at] + total["shared"][at] for at in (0, 1)]
    print(
        f"whole transfer: {one[0] / total['alone'][0]:.2f} of the time of three separate trainings "
        f"(processor {one[1] / total['alone'][1]:.2f})"
    )
    mean = {what: statistics.mean(found) for what, found in reached.items()}
    held = mean["shared"] >= mean["alone"] - POINTS
    print(
        f"accuracy {mean['shared']:.2f} % shared, {mean['alone']:.2f} % alone, difference "
        f"{mean['shared'] - mean['alone']:+.2f} points: {'reached' if held else 'NOT REACHED'}"
    )
    return held and of_candidates[0] > 1


def main() -> int:
    """Measure; return 0 if both bounds are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", default="birds", choices=("birds", "cars", "birds6"))
    parser.add_argument("--epochs", type=int, default=0, help="0: 15, for birds6 as recommended")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--each", type=int, default=100, help="images of a class")
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    QCoreApplication.instance() or QCoreApplication([])
    print(f"load {os.getloadavg()[0]:.1f}, threads {os.environ.get('OMP_NUM_THREADS', 'all')}")
    sets = real_sets(options.data)
    spent: Spent = {}
    reached: Reached = {"shared": [], "alone": []}
    weights = options.data / "weights" / "squeezenet1_0.safetensors"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed in range(options.seeds):
            os.environ["WORKBENCH_MAPS"] = str(folder / f"maps {seed}")
            if options.kind == "birds6":
                found = (seed, options.epochs, spent, reached)
                candidates_of_imagenet(options.data, folder, *found)
                continue
            (folder / str(seed)).mkdir()
            made = [
                make(
                    folder / str(seed),
                    half,
                    {label: paths[: options.each] for label, paths in sets[half].items()},
                )
                for half in (f"{options.kind} A", f"{options.kind} B")
            ]
            target, source = made
            where = source.store.folder
            source.close()
            split(target, SplitPlan(0.5, 0.0, 0.5, seed), ("category",))
            request = TransferRequest(
                label_set="category",
                sources=(written_source(where.resolve(), "category"),),
                start=f"file:{weights}",
                settings={"backbone": "squeezenet1_0", "epochs": options.epochs or 15},
                seed=seed,
            )
            run_transfer(target, request, spent, reached)
            target.close()
    print(f"load {os.getloadavg()[0]:.1f} at the end")
    held = print_results(spent, reached)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
