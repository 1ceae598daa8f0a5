"""Sets of real images on which methods are compared, and the variants for each."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.bench.real_input import Case, cases, import_case
from tests.fixtures.imports import import_labels
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.training.training import recover
from workbench.domain.studies import SplitFractions
from workbench.storage.project import Project

BASE = "fine-tune"
VARIANTS: dict[str, dict[str, object]] = {
    BASE: {},
    "l2": {"penalty": "l2"},
    "l2-sp": {"penalty": "l2-sp"},
    "delta": {"penalty": "delta"},
    "bss": {"penalty": "bss"},
    "same-class": {"penalty": "same-class"},
    "delta+bss projected": {"penalty": "delta+bss", "projection": True},
    "co-tuning": {"method": "co-tuning"},
    "multitune": {"method": "multitune"},
    "spottune": {"method": "spottune"},
    "stochastic-norm": {"method": "stochastic-norm"},
    "cnn-rnn": {"method": "cnn-rnn"},
    "at-cnn": {"method": "at-cnn", "head": "fusion"},
    "at-cnn adamw-then-sgd": {
        "method": "at-cnn",
        "head": "fusion",
        "optimizer": "adamw-then-sgd",
    },
    "linear head": {"head": "linear"},
    "adaptation": {"head": "adaptation"},
    "bilinear": {"head": "bilinear"},
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
MOBILENET, FACES = "birds6-5-mobilenet", "faces"
ONLY = {MOBILENET: (BASE, "stochastic-norm"), FACES: (BASE, "cnn-rnn")}  # nowhere else either
FEW_LABELS = ("mixmatch",)  # for sets of which the train part is not all that is left
ADVISED_HEAD = {
    "squeezenet1_0": "compact-bilinear",
    "mobilenet_v2": "linear",
    "simpleconv3": "linear",
}
NOT_FROM_SCRATCH = ("l2-sp", "delta", "co-tuning", "multitune", "spottune", "delta+bss projected")
TRAITS = {"smile": "smiling", "mouth_open": "mouth open"}


def case_of(name: str, data: Path) -> tuple[Case, SplitFractions]:
    """A set with the shares of its splits."""
    known = cases(data)
    few = SplitFractions(train=SHOTS.get(name, SHOTS["birds6-5"]), validation=0.0, test=0.5)
    if name in SHOTS:
        return known["birds6"], few
    if name == MOBILENET:
        weights = data / "weights" / "mobilenet_v2.safetensors"
        start = {"backbone": "mobilenet_v2", "start": f"file:{weights}"}
        return replace(known["birds6"], chosen=start), few
    if name == FACES:
        case = replace(known["birds6"], target="traits", folders={}, bound=math.nan, plain=math.nan)
        return case, SplitFractions(**case.plan)
    case = known[name]
    return case, SplitFractions(**case.plan)


def base_of(case: Case) -> dict[str, object]:
    """Recipe keys of the baseline: recommended values, with the head set explicitly."""
    head = ADVISED_HEAD[str(case.chosen["backbone"])]
    return {"target": case.target, "head": head, **case.chosen}


def usable(name: str, case: Case, wanted: list[str]) -> dict[str, Mapping[str, object]]:
    """The variants that suit the set, with their keys."""
    base = base_of(case)
    elsewhere = {v for only in ONLY.values() for v in only} - {BASE}
    left_out = set() if name in ONLY else elsewhere
    if case.chosen["backbone"] == "simpleconv3":
        left_out |= set(NOT_FROM_SCRATCH)
    if name not in SHOTS:
        left_out |= set(FEW_LABELS)
    left_out |= {v for v in VARIANTS if VARIANTS[v] == {"head": base["head"]}}
    return {
        variant: dict(VARIANTS[variant])
        for variant in wanted
        if variant not in left_out and variant in ONLY.get(name, VARIANTS)
    }


def opened(name: str, case: Case, data: Path, out: Path) -> Session:
    """The set's project, imported if it does not exist yet."""
    folder = out / f"{name}.workbench"
    if folder.exists():
        session = Session(Project.open(folder))
        recover(session)
        return session
    session = Session(Project.create(out / name))
    if name == FACES:
        _import_faces(session, data, out)
    else:
        import_case(session, case, data, out)
    return session


def _import_faces(session: Session, data: Path, out: Path) -> None:
    """Import images of one face with each visible trait, or "neither": non-exclusive labels."""
    outcome = run_here(import_task(session, [data / "faces" / "images"]))
    assert isinstance(outcome, Done), outcome
    listed = out / "traits.csv"
    with (data / "faces" / "annotations.csv").open() as file, listed.open("w") as made:
        rows = csv.writer(made)
        rows.writerow(("path", "set", "label"))
        for face in csv.DictReader(file):
            seen = [label for column, label in TRAITS.items() if face[column] == "1"]
            rows.writerows((face["filename"], "traits", label) for label in seen or ["neither"])
    taken = import_labels(session, listed)
    print(f"  imported {outcome.value.added} images, {taken.labelled} labels", flush=True)
