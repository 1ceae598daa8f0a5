"""How well labels follow from each stage of a network, studied before or after a training."""

from __future__ import annotations

import time
from collections.abc import Generator

import msgspec
from PySide6.QtCore import QCoreApplication

from workbench.app.jobs import Done, Outcome, Task
from workbench.app.open_project import OpenProject
from workbench.app.programs.errands import ask
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import as_if_split
from workbench.app.training.samples import collect
from workbench.app.transfer.assessing import held_out_part, start_order, with_weights
from workbench.app.transfer.sources import one_label
from workbench.domain.advice import advise
from workbench.domain.layer_studies import LayersOrder, LayerStudy
from workbench.domain.reports import Layered
from workbench.domain.runs import SAMPLES_FILE, encode_samples
from workbench.storage.project import Project

KEY = "layer_studies"
KEPT = 20  # studies that a project remembers


def layers_task(
    op: OpenProject, target: str, start: str = "imagenet", name: str = "", seed: int = 0
) -> Task:
    """A job that trains a linear head on every stage of a start and ends Done(LayerStudy), which
    the project then remembers. `name` is the backbone of a start that does not say its own; ""
    takes the one advised. Raises KnownError and ValueRefused as `assess_task` does."""
    one_label(op.store, target, "a head on each stage")
    advised = advise(facts_of(op.store, target), {}).values["backbone"]
    wanted = start_order(op, start, name or str(advised))
    folder, place = op.store.folder, op.store.runs_folder

    def work() -> Generator[object | None, None, LayerStudy]:
        with Project.reading(folder) as store:
            found = as_if_split(collect(store, target))
        ready = yield from with_weights(wanted)
        order = LayersOrder(start=ready, held_out=held_out_part(found), seed=seed)
        files = {SAMPLES_FILE: encode_samples(list(found.samples))}
        answer = yield from ask("layers", order, files, place, Layered)
        return LayerStudy(
            target=target,
            start=wanted.start,
            backbone=wanted.backbone,
            made=time.time(),
            found=answer.scores,
        )

    def finish(outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            op.store.settings.push(KEY, msgspec.to_builtins(outcome.value), KEPT)

    title = QCoreApplication.translate("layers", "Study the stages of {backbone}")
    named = title.format(backbone=wanted.backbone)
    return Task(named, work, finish=finish, kind="layers")


def layer_studies(op: OpenProject, target: str, name: str = "") -> list[LayerStudy]:
    """The studies of a target that a project remembers, the newest of each start, newest first;
    those of one backbone where `name` says which."""
    found: dict[tuple[str, str], LayerStudy] = {}
    for study in msgspec.convert(op.store.settings.get(KEY, []), list[LayerStudy]):
        if study.target == target and name in ("", study.backbone):
            found.setdefault((study.backbone, study.start), study)
    return list(found.values())
