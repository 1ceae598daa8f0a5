"""Every method beside plain fine-tuning, on the same splits and seeds of real photographs.

Run `python -m tests.bench.methods SET … --out FOLDER [--variants a,b] [--seeds N] [--data FOLDER]`,
SET of birds6, birds6-10, birds6-5, birds6-3 (images per class to train on), car-views, mouths. The
projects stay in FOLDER, so that a table is made in parts: the same command goes on where it was
stopped, and a variant or seed more is trained beside those that are done. Prints a table with mean,
95 % interval, difference to fine-tuning seed by seed, p of a paired t-test, seconds and the largest
memory. The baseline is what the program advises, head included. Hyper-parameters are each method's
defaults; none was chosen on these test images. A training that diverged is said below the table.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import msgspec
from PySide6.QtCore import QCoreApplication

from tests.bench.real_input import DATA, Case, cases, import_case
from workbench.app.jobs import Done, run_here
from workbench.app.open_project import OpenProject
from workbench.app.training.studying import find_study, new_study, next_runs, standing
from workbench.app.training.training import recover, training_task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, decode_report
from workbench.domain.runs import REPORTS_FILE
from workbench.domain.studies import Drawn, Interval, Plan, Study
from workbench.storage.project import Project

BASE = "fine-tune"
VARIANTS: dict[str, dict[str, object]] = {
    BASE: {},
    "l2-sp": {"penalty": "l2-sp"},
    "delta": {"penalty": "delta"},
    "bss": {"penalty": "bss"},
    "same-class": {"penalty": "same-class"},
    "delta+bss projected": {"penalty": "delta+bss", "projection": True},
    "co-tuning": {"method": "co-tuning"},
    "multitune": {"method": "multitune"},
    "spottune": {"method": "spottune"},
    "at-cnn": {"method": "at-cnn", "head": "fusion"},
    "at-cnn adamw-then-sgd": {
        "method": "at-cnn",
        "head": "fusion",
        "optimizer": "adamw-then-sgd",
    },
    "linear head": {"head": "linear"},
    "compact-bilinear": {"head": "compact-bilinear"},
    "fusion": {"head": "fusion"},
    "parts": {"head": "parts"},
    "parts grouped": {"head": "parts", "penalty": "channel-grouping"},
    "mixup": {"mix": "mixup"},
    "cutmix": {"mix": "cutmix"},
    "focal": {"loss": "focal"},
    "sampling": {"sampling": "balanced"},
    "ten crops": {"test_crops": "five"},
    "mixmatch": {"method": "mixmatch", "options": {"mixmatch": {"left_out": True}}},
}
SHOTS = {"birds6-10": 0.1, "birds6-5": 0.05, "birds6-3": 0.03}
FEW_LABELS = ("mixmatch",)  # for sets of which the train part is not all that is left
ADVISED_HEAD = {"squeezenet1_0": "compact-bilinear", "simpleconv3": "linear"}
NOT_FROM_SCRATCH = ("l2-sp", "delta", "co-tuning", "multitune", "spottune", "delta+bss projected")


def case_of(name: str, data: Path) -> tuple[Case, Drawn]:
    """A set with the fractions of its splits."""
    known = cases(data)
    if name in SHOTS:
        return known["birds6"], Drawn(train=SHOTS[name], validation=0.0, test=0.5)
    case = known[name]
    return case, Drawn(**case.plan)


def opened(name: str, case: Case, data: Path, out: Path) -> OpenProject:
    """The set's project, imported where it is not there yet."""
    folder = out / f"{name}.workbench"
    if folder.exists():
        op = OpenProject(Project.open(folder))
        recover(op)
        return op
    op = OpenProject(Project.create(out / name))
    import_case(op, case, data, out)
    return op


def study_of(op: OpenProject, name: str, plan: Plan) -> Study:
    """The set's study, grown by variants and seeds that it did not have yet."""
    try:
        known = find_study(op, name)
    except KnownError:
        return new_study(op, plan)
    variants = {**known.plan.variants, **plan.variants}
    seeds = tuple(sorted({*known.plan.seeds, *plan.seeds}))
    grown = msgspec.structs.replace(known.plan, variants=variants, seeds=seeds)
    return msgspec.structs.replace(known, plan=grown)


def measure(name: str, chosen: list[str], seeds: int, data: Path, out: Path) -> None:
    """Train what is missing and print the table of a set."""
    case, drawn = case_of(name, data)
    op = opened(name, case, data, out)
    try:
        backbone = str(case.chosen["backbone"])
        base = {"target": case.target, "head": ADVISED_HEAD[backbone], **case.chosen}
        scratch = backbone == "simpleconv3"
        usable = [v for v in chosen if not (scratch and v in NOT_FROM_SCRATCH)]
        usable = [v for v in usable if name in SHOTS or v not in FEW_LABELS]
        usable = [v for v in usable if v == BASE or VARIANTS[v] != {"head": base["head"]}]
        plan = Plan(
            name=name,
            base=base,
            variants={variant: dict(VARIANTS[variant]) for variant in usable},
            seeds=tuple(range(seeds)),
            split=drawn,
        )
        study = study_of(op, name, plan)
        whole = study.plan
        study = msgspec.structs.replace(study, plan=plan)  # what is asked for now, and no more
        study, runs = next_runs(op, study, most=len(plan.cells))
        study = msgspec.structs.replace(study, plan=whole)
        op.store.studies.put(study)
        for run in runs:
            record = op.store.runs.get(run)
            print(f"  {record.name}", file=sys.stderr, flush=True)
            outcome = run_here(training_task(op, run))
            if not isinstance(outcome, Done):
                print(f"{record.name}: {outcome}", flush=True)
        say(op, name, study)
    finally:
        op.close()


def say(op: OpenProject, name: str, study: Study) -> None:
    found = standing(op, study)
    print(
        f"\n{name} (`python -m tests.bench.methods {name}`), up to {len(study.plan.seeds)} seeds\n"
    )
    print("| method | seeds | accuracy | difference | p | seconds | memory |")
    print("|---|---|---|---|---|---|---|")
    for row in found.rows:
        runs = [study.run_of(row.variant, seed) for seed in row.values]
        memory = max((peak(op, run) for run in runs), default="")
        p = "" if math.isnan(row.p) else f"{row.p:.3f}"
        print(
            f"| {row.variant} | {len(runs)} | {points(row.accuracy)} "
            f"| {points(row.difference, sign='+')} | {p} | {row.seconds:.0f} | {memory} |"
        )
    sys.stdout.flush()


def points(value: Interval, sign: str = "") -> str:
    if math.isnan(value.mean):
        return ""
    half = "" if math.isnan(value.half) else f" ± {100 * value.half:.2f}"
    return f"{100 * value.mean:{sign}.2f}{half}"


def peak(op: OpenProject, run: str) -> str:
    """The largest memory that a run's reports tell of, "" where none does."""
    lines = (op.store.runs_folder / run / REPORTS_FILE).read_bytes().splitlines()
    notes = [report.text for line in lines if isinstance(report := decode_report(line), Note)]
    told = [text.removeprefix("Peak memory: ").rstrip(".") for text in notes if "Peak" in text]
    return max(told, default="")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variants", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There are no real images at {options.data}; give --data FOLDER.")
        return 1
    QCoreApplication.instance() or QCoreApplication([])
    wanted = [v for v in options.variants.split(",") if v] or list(VARIANTS)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.sets:
        measure(
            name, list(dict.fromkeys((BASE, *wanted))), options.seeds, options.data, options.out
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
