"""Every method compared with fine-tuning, on the same splits and seeds of real images.

Run `python -m tests.bench.methods SET … --out FOLDER [--variants a,b] [--seeds N] [--data FOLDER]`.
SET is birds6, birds6-10, birds6-5, birds6-3 (images per class to train on), car-views, mouths,
birds6-5-mobilenet (a network with batch normalisation) or faces (several labels per image; accuracy
is the share with all labels right). The projects stay in FOLDER, so that a table can be measured in
parts: the same command resumes, and adds further variants or seeds. Prints a table with mean, 95 %
interval, difference to fine-tuning by seed, p of a paired t-test, seconds, and peak memory. The
baseline is what the program recommends, head included. Hyper-parameters are each method's defaults;
none was chosen on these test images. Trainings that diverged are listed below the table.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import msgspec
from PySide6.QtCore import QCoreApplication

from tests.bench.method_sets import BASE, VARIANTS, base_of, case_of, opened, usable
from tests.bench.real_input import DATA
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.studies import find_study, new_study, next_runs, study_progress
from workbench.app.training.training import training_task
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, decode_report
from workbench.domain.runs import REPORTS_FILE
from workbench.domain.studies import Interval, Plan, Study


def study_of(session: Session, name: str, plan: Plan) -> Study:
    """The set's study, extended by missing variants and seeds."""
    try:
        known = find_study(session, name)
    except KnownError:
        return new_study(session, plan)
    variants = {**known.plan.variants, **plan.variants}
    seeds = tuple(sorted({*known.plan.seeds, *plan.seeds}))
    grown = msgspec.structs.replace(known.plan, variants=variants, seeds=seeds)
    return msgspec.structs.replace(known, plan=grown)


def measure(name: str, chosen: list[str], seeds: int, data: Path, out: Path) -> None:
    """Train what is missing and print the table of a set."""
    case, drawn = case_of(name, data)
    session = opened(name, case, data, out)
    try:
        plan = Plan(
            name=name,
            base=base_of(case),
            variants=usable(name, case, chosen),
            seeds=tuple(range(seeds)),
            split=drawn,
        )
        study = study_of(session, name, plan)
        whole = study.plan
        study = msgspec.structs.replace(study, plan=plan)  # only what is requested now
        study, runs = next_runs(session, study, most=len(plan.cells))
        study = msgspec.structs.replace(study, plan=whole)
        session.store.studies.put(study)
        for run in runs:
            record = session.store.runs.get(run)
            print(f"  {record.name}", file=sys.stderr, flush=True)
            outcome = run_here(training_task(session, run))
            if not isinstance(outcome, Done):
                print(f"{record.name}: {outcome}", flush=True)
        print_table(session, name, study)
    finally:
        session.close()


def print_table(session: Session, name: str, study: Study) -> None:
    found = study_progress(session, study)
    print(
        f"\n{name} (`python -m tests.bench.methods {name}`), up to {len(study.plan.seeds)} seeds\n"
    )
    print("| method | seeds | accuracy | difference | p | seconds | memory |")
    print("|---|---|---|---|---|---|---|")
    for row in found.rows:
        runs = [study.run_of(row.variant, seed) for seed in row.values]
        memory = max((peak(session, run) for run in runs), default="")
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


def peak(session: Session, run: str) -> str:
    """The peak memory in the reports of a run, "" if there is none."""
    lines = (session.store.runs_folder / run / REPORTS_FILE).read_bytes().splitlines()
    notes = [report.text for line in lines if isinstance(report := decode_report(line), Note)]
    reported = [text.removeprefix("Peak memory: ").rstrip(".") for text in notes if "Peak" in text]
    return max(reported, default="")


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
