"""Annotators: one's name, agreement, a second look on Views, merging another project's labels."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.gallery.projects import EMPTY, FULL, LONG, LONG_PEOPLE, PEOPLE
from tests.gallery.registry import scene
from tests.gallery.scenes.opening import go
from tests.gallery.stage import Stage
from workbench.app.labels.labelling import assign
from workbench.app.session import Session
from workbench.domain.labels import Author, Role
from workbench.storage.annotators import NewAnnotation
from workbench.ui.dialogs.annotators import AnnotatorDialog, AnnotatorsDialog
from workbench.ui.dialogs.merging import MergeDialog
from workbench.ui.pages.views.page import ViewsPage

MOMENT = 1_780_000_000  # seconds since the epoch of the first label


def label_as(session: Session, *names: str) -> None:
    """Let each person label the first images, later ones differently from the first on more of
    them; the last one repeats some. One image every twelve seconds."""
    ids = session.images.ids()[:24].tolist()
    labels = session.labels.get("view").names
    given = []
    for number, name in enumerate(names):
        start = MOMENT + number * 3600
        for at, image in enumerate(ids):
            label = labels[(at + (at < 3 * number)) % len(labels)]
            given.append(_opinion(image, label, name, start + 12 * at))
    repeats = [_opinion(image, labels[0], names[-1], MOMENT + 86_400) for image in ids[:12]]
    session.store.annotators.add_opinions("view", [*given, *repeats])
    session.set_annotator(names[-1])


def _opinion(image: int, label: str, name: str, seconds: int) -> NewAnnotation:
    return NewAnnotation(image, None, label, name, Author.HUMAN, Role.BLIND, seconds * 1_000_000)


@scene("dialog-annotator", "full", FULL, shows=[AnnotatorDialog])
def annotator_full(stage: Stage) -> None:
    window = stage.open(FULL)
    label_as(window.session, *PEOPLE[:2])
    dialog = AnnotatorDialog(window.session, window)
    dialog.box.removeItem(dialog.box.count() - 1)  # the user's name differs between computers
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-annotator", "empty", EMPTY, shows=[AnnotatorDialog])
def annotator_empty(stage: Stage) -> None:
    window = stage.open(EMPTY)
    dialog = AnnotatorDialog(window.session, window)
    dialog.box.clear()  # as above
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-annotators", "full", FULL, shows=[AnnotatorsDialog])
def annotators_full(stage: Stage) -> None:
    window = stage.open(FULL)
    label_as(window.session, *PEOPLE)
    dialog = AnnotatorsDialog(window.context, window)
    stage.show(dialog)
    dialog.disputes.selectRow(1)
    dialog.disputes.picked.emit(1)
    stage.settle()
    stage.take(front=dialog)


@scene("dialog-annotators", "empty", FULL, shows=[AnnotatorsDialog])
def annotators_empty(stage: Stage) -> None:
    window = stage.open(FULL)
    dialog = AnnotatorsDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("dialog-annotators", "long", LONG, shows=[AnnotatorsDialog])
def annotators_long(stage: Stage) -> None:
    window = stage.open(LONG)
    label_as(window.session, *LONG_PEOPLE)
    dialog = AnnotatorsDialog(window.context, window)
    stage.show(dialog)
    stage.take(front=dialog)


@scene("views", "second-look", FULL)
def views_second_look(stage: Stage) -> None:
    window = stage.open(FULL)
    window.session.set_annotator(PEOPLE[0])
    page = go(window, ViewsPage)
    page.second_look()
    page.set_label("left")
    page.stage.end_flash()
    stage.settle()
    stage.take()


def _second_copy(stage: Stage, name: str, called: str) -> Path:
    """A copy of a prepared project besides that which the window opens."""
    place = stage.home / f"{called}.workbench"
    shutil.rmtree(place, ignore_errors=True)
    return stage.copy(name).rename(place)


def _merge(stage: Stage, name: str, person: str) -> None:
    """The dialog with a copy of the project in which a person changed some labels."""
    copied = _second_copy(stage, name, person)
    other = Session.open(copied)
    other.set_annotator(person)
    ids, label = other.images.ids(), other.labels.get("view").names[0]
    assign(other, ids[:9].tolist(), "view", label)
    other.close()
    window = stage.open(name)
    dialog = MergeDialog(window.context, copied, window)
    stage.show(dialog)
    stage.settle(lambda: dialog.plan is not None)
    stage.take(front=dialog)


@scene("dialog-merge", "full", FULL, shows=[MergeDialog])
def merge_full(stage: Stage) -> None:
    _merge(stage, FULL, PEOPLE[1])


@scene("dialog-merge", "long", LONG, shows=[MergeDialog])
def merge_long(stage: Stage) -> None:
    _merge(stage, LONG, LONG_PEOPLE[0])


@scene("dialog-merge", "empty", EMPTY, shows=[MergeDialog])
def merge_empty(stage: Stage) -> None:
    """A project without labels."""
    copied = _second_copy(stage, EMPTY, "2")
    window = stage.open(EMPTY)
    dialog = MergeDialog(window.context, copied, window)
    stage.show(dialog)
    stage.settle(lambda: dialog.plan is not None)
    stage.take(front=dialog)
