"""How related the images of other projects or label sets are to those of a target."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from PySide6.QtCore import QCoreApplication

from workbench.app.errands import ask
from workbench.app.jobs import Done, Outcome, Task
from workbench.app.open_project import OpenProject
from workbench.app.samples import collect
from workbench.app.sources import Place, opened_beside
from workbench.domain.errors import ValueRefused
from workbench.domain.relatedness import DomainOrder, Relatedness, RelatednessOrder
from workbench.domain.reports import Related
from workbench.domain.runs import Sample, encode_samples
from workbench.domain.splits import Part
from workbench.storage.project import Project

KEY = "relatedness"
KEPT = 20  # comparisons that a project remembers


@dataclass(frozen=True)
class Domain:
    """Labelled images under a name: what a project has for one label set."""

    name: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison as a project keeps it; `made` in seconds since the epoch."""

    label_set: str
    made: float
    found: Relatedness


def domain_of(store: Project, label_set: str, name: str = "") -> Domain:
    """The images of a project that have a label of `label_set`, but for those of the test part,
    which must stay unseen. Raises KnownError where there are none, ValueRefused for an unknown set.
    """
    found = collect(store, label_set)
    samples = tuple(s for s in found.samples if s.target >= 0 and s.part != Part.TEST)
    return Domain(name or store.folder.stem, found.labels.target.labels, samples)


def relatedness_task(
    op: OpenProject, label_set: str, sources: Sequence[Domain], order: RelatednessOrder
) -> Task:
    """A job that compares the images of `label_set` with each source and ends Done(Relatedness),
    which the project then remembers. Raises KnownError, ValueRefused as `domain_of` does.

    `order` says how it is done; its domains are filled in here.
    """
    if not sources:
        raise ValueRefused("sources", 0, "at least one")
    domains = [domain_of(op.store, label_set), *sources]
    files = {f"domain-{at}.jsonl": encode_samples(list(d.samples)) for at, d in enumerate(domains)}
    orders = [
        DomainOrder(name=domain.name, samples=file, classes=domain.classes)
        for domain, file in zip(domains, files, strict=True)
    ]
    whole = msgspec.structs.replace(order, domains=tuple(orders))

    def work() -> Generator[object | None, None, Relatedness]:
        answer = yield from ask("relate", whole, files, op.store.runs_folder, Related)
        return answer.relatedness

    def finish(outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            made = Comparison(label_set=label_set, made=time.time(), found=outcome.value)
            kept: list[Any] = op.store.settings.get(KEY, [])
            op.store.settings.put(KEY, [msgspec.to_builtins(made), *kept][:KEPT])

    title = QCoreApplication.translate("relatedness", "Compare {count} sources with {target}")
    named = title.format(count=len(sources), target=domains[0].name)
    return Task(named, work, finish=finish, kind="relatedness")


def compare_task(
    op: OpenProject, label_set: str, places: Mapping[str, Place], order: RelatednessOrder
) -> Task:
    """`relatedness_task` of named sources, each opened in turn and read."""
    domains: list[Domain] = []
    for name, (folder, labels) in places.items():
        with opened_beside(op, folder) as source:
            domains.append(domain_of(source.store, labels, name))
    return relatedness_task(op, label_set, domains, order)


def comparisons(op: OpenProject) -> list[Comparison]:
    """The comparisons that a project remembers, newest first."""
    return msgspec.convert(op.store.settings.get(KEY, []), list[Comparison])
