"""How related the images of other projects or label sets are to those of a target."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from workbench.app.jobs import Task, when_done
from workbench.app.learner import run_request
from workbench.app.project_folders import project_folder
from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.samples import collect
from workbench.app.transfer.sources import Place
from workbench.domain.errors import ValueRefused
from workbench.domain.relatedness import DomainRequest, Relatedness, RelatednessRequest
from workbench.domain.reports import Related
from workbench.domain.runs import Sample, encode_samples
from workbench.domain.splits import Part
from workbench.domain.text import Message
from workbench.storage.project import Project

KEY = "relatedness"
KEPT = 20  # comparisons that a project remembers


@dataclass(frozen=True)
class Domain:
    """Labelled images under a name: what a project has for one label set."""

    name: str
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]


class SourceComparison(msgspec.Struct, frozen=True, kw_only=True):
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


def compare_task(
    session: Session, label_set: str, places: Mapping[str, Place], order: RelatednessRequest
) -> Task[Relatedness]:
    """A job that compares the images of `label_set` with each named source and ends
    Done(Relatedness), which the project then remembers. The job opens each source in turn and reads
    it, and fails where one cannot be read. Raises KnownError, ValueRefused as `domain_of` does.

    `order` says how it is done; its domains are filled in here.
    """
    own = session.store.folder

    def read() -> Iterator[Domain]:
        for name, (folder, labels) in places.items():
            with _read_beside(own, folder) as store:
                yield domain_of(store, labels, name)

    return _task(session, label_set, len(places), read, order)


@contextmanager
def _read_beside(own: Path, folder: Path) -> Iterator[Project]:
    """A project to look at in this thread; one that is not the `own` is held meanwhile."""
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
    order: RelatednessRequest,
) -> Task[Relatedness]:
    """The job; `read` gives the sources, in the job's thread."""
    if not count:
        raise ValueRefused("sources", 0, "at least one")
    facts_of(session.store, label_set)  # refuses what cannot be learned
    folder, runs = session.store.folder, session.store.runs_folder

    def work() -> Generator[object | None, None, Relatedness]:
        with Project.reading(folder) as store:
            domains = [domain_of(store, label_set)]
        for source in read():
            domains.append(source)
            yield None
        names = [f"domain-{at}.jsonl" for at in range(len(domains))]
        asked = tuple(
            DomainRequest(name=domain.name, samples=name, classes=domain.classes)
            for domain, name in zip(domains, names, strict=True)
        )
        samples = (encode_samples(list(domain.samples)) for domain in domains)
        files = dict(zip(names, samples, strict=True))
        whole = msgspec.structs.replace(order, domains=asked)
        answer = yield from run_request("relate", whole, files, runs, Related)
        return answer.relatedness

    def keep(found: Relatedness) -> None:
        made = SourceComparison(label_set=label_set, made=time.time(), found=found)
        session.store.settings.push(KEY, msgspec.to_builtins(made), KEPT)

    title = Message("Compare {count} sources with {target}")
    named = title.format(count=count, target=session.store.name)
    return Task(named, work, finish=when_done(keep), kind="relatedness")
