"""Possible targets of a training, by the project's labels, and runs to start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.domain.labels import LabelSet
from workbench.domain.recipes import JOINT
from workbench.domain.runs import RunStatus

if TYPE_CHECKING:
    from workbench.app.session import Session


_FIRST = ("category", "view", JOINT, "expression")


@dataclass(frozen=True)
class Target:
    """A target: its name in recipes, the number of its labels in use, and of labelled images or
    crops."""

    name: str
    labels: int
    labelled: int

    @property
    def ready(self) -> bool:
        """Whether it can be trained: at least two labels are in use."""
        return self.labels >= 2


def targets(project: Session) -> list[Target]:
    """All targets, the usual ones first; category+view if the project has both sets."""
    store = project.store
    sets = store.labels.sets()
    found = {name: _target(sets[name], store.labels.counts(name)) for name in sets}
    if "category" in found and "view" in found:
        both = found["category"], found["view"]
        found[JOINT] = Target(JOINT, min(t.labels for t in both), min(t.labelled for t in both))
    order = [name for name in _FIRST if name in found]
    return [found[name] for name in (*order, *(n for n in found if n not in order))]


def _target(label_set: LabelSet, counts: Mapping[str, int]) -> Target:
    used = {label: n for label, n in counts.items() if label in label_set.names and n}
    return Target(label_set.name, len(used), sum(used.values()))


def first_target(choices: list[Target]) -> str:
    """Name of the first target that is ready; "" if there is none."""
    ready = [choice.name for choice in choices if choice.ready]
    return ready[0] if ready else ""


def start_runs(project: Session, backbone: str) -> list[tuple[str, str]]:
    """(id, name) of finished runs with this backbone, newest first."""
    return [
        (record.id, record.name)
        for record in project.store.runs.all()
        if record.status in (RunStatus.FINISHED, RunStatus.STOPPED)
        and record.recipe.backbone == backbone
    ]
