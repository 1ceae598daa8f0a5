"""Relatedness of images of other projects or label sets to those of a target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.app.jobs import Steps, Task, when_done
from workbench.app.learner import run_request
from workbench.app.project_folders import project_folder
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.samples import collect
from workbench.app.transfer.sources import SourceLocation, one_label, refuse_target
from workbench.domain.errors import ValueRefused
from workbench.domain.relatedness import DomainRequest, Relatedness, RelatednessRequest
from workbench.domain.reports import Related
from workbench.domain.runs import Sample, encode_samples
from workbench.domain.splits import Part
from workbench.domain.text import Message, counted
from workbench.storage.project import Project

KEY = "relatedness"
KEPT = 20  # comparisons stored in a project


@dataclass(frozen=True)
class Domain:
    """Labelled images of a project for one label set, with a name."""

    name: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]


class SourceComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A stored comparison; `made` in seconds since the epoch."""

    label_set: str
    made: float
    found: Relatedness


def domain_of(store: Project, label_set: str, name: str = "") -> Domain:
    """Images of a project with a label of `label_set`, except those of the test part.

    Raises KnownError if there are none, ValueRefused for an unknown set.
    """
    found = collect(store, label_set)
    samples = tuple(s for s in found.samples if s.target >= 0 and s.part != Part.TEST)
    return Domain(name or store.folder.stem, found.labels.target.labels, samples)


def compare_task(
    session: Session,
    label_set: str,
    sources: Mapping[str, SourceLocation],
    request: RelatednessRequest,
) -> Task[Relatedness]:
    """A job that compares the images of `label_set` with each named source and ends
    Done(Relatedness), which is stored in the project.

    The job fails if a source cannot be read. `request` has the parameters; its domains are added
    here. Raises KnownError if a source is the target itself or images may have several labels, and
    as `domain_of`.
    """
    own = session.store.folder
    one_label(session.store, label_set)
    refuse_target(session.store, sources.values(), label_set)

    def read() -> Iterator[Domain]:
        for name, (folder, labels) in sources.items():
            with _read_beside(own, folder) as store:
                one_label(store, labels)
                yield domain_of(store, labels, name)

    return _task(session, label_set, len(sources), read, request)


@contextmanager
def _read_beside(own: Path, folder: Path) -> Iterator[Project]:
    """Open a project for reading in this thread; any but `own` is locked meanwhile."""
    if folder == own.resolve():
        with Project.reading(folder) as store:
            yield store
        return
    with closing(Project.open(project_folder(folder))) as store:
        yield store


def _task(
    session: Session,
    label_set: str,
    count: int,
    read: Callable[[], Iterator[Domain]],
    request: RelatednessRequest,
) -> Task[Relatedness]:
    """The job; `read` yields the sources, in the job's thread."""
    if not count:
        raise ValueRefused("sources", "", Message("at least one"))
    facts_of(session.store, label_set)  # raises if the target cannot be trained
    folder, runs = session.store.folder, session.store.runs_folder

    def work() -> Steps[Relatedness]:
        with Project.reading(folder) as store:
            domains = [domain_of(store, label_set)]
        for source in read():
            domains.append(source)
            yield None
        names = [f"domain-{at}.jsonl" for at in range(len(domains))]
        requests = tuple(
            DomainRequest(name=domain.name, samples=name, classes=domain.classes)
            for domain, name in zip(domains, names, strict=True)
        )
        samples = (encode_samples(list(domain.samples)) for domain in domains)
        files = dict(zip(names, samples, strict=True))
        complete = msgspec.structs.replace(request, domains=requests)
        answer = yield from run_request("relate", complete, files, runs, Related)
        return answer.relatedness

    def keep(found: Relatedness) -> None:
        made = SourceComparison(label_set=label_set, made=time.time(), found=found)
        session.store.settings.push(KEY, msgspec.to_builtins(made), KEPT)

    title = _title(count, session.store.name)
    return Task(title, work, finish=when_done(keep), kind="relatedness")


def _title(count: int, target: str) -> Message:
    return counted(
        count,
        "Compare {n} source with {target}",
        "Compare {n} sources with {target}",
        target=target,
    )
