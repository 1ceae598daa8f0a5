"""Filters as chips in words, and as values that survive a restart."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QCoreApplication

from workbench.app.labels.label_overview import LabelOverview
from workbench.domain.images import ImageFilter, Similar


@dataclasses.dataclass(frozen=True)
class Chip:
    """One condition of a filter in words, and the filter without it."""

    text: str
    without: ImageFilter


def _tr(text: str) -> str:
    return QCoreApplication.translate("FilterBar", text)


def chips(shown: ImageFilter, sources: Mapping[int, str]) -> list[Chip]:
    """A chip per condition, the search text apart (it has a field of its own)."""
    found = []
    if shown.similar is not None:
        words = _tr("Similar to {0}").format(shown.similar.name)
        found.append(Chip(words, _without(shown, similar=None)))
    if shown.source is not None:
        name = sources.get(shown.source, "?")
        found.append(Chip(_tr("source: {0}").format(name), _without(shown, source=None)))
    for pair in shown.labels:
        label_set, label = pair
        words = _tr("no {0}").format(label_set) if label is None else f"{label_set}: {label}"
        rest = tuple(other for other in shown.labels if other != pair)
        found.append(Chip(words, _without(shown, labels=rest)))
    if shown.part is not None:
        words = _tr("part: {0}").format(shown.part or _tr("none"))
        found.append(Chip(words, _without(shown, part=None)))
    if shown.disagreement is not None:
        words = _tr("{0} differs from the model's").format(shown.disagreement)
        found.append(Chip(words, _without(shown, disagreement=None)))
    if shown.ids is not None:
        words = shown.said or _tr("{0:,} chosen images").format(len(shown.ids))
        found.append(Chip(words, _without(shown, ids=None, said="")))
    return found


def _without(shown: ImageFilter, **changes: Any) -> ImageFilter:
    return dataclasses.replace(shown, **changes)


def with_label(shown: ImageFilter, label_set: str, label: str | None) -> ImageFilter:
    """The filter with this label wanted, instead of another one of the same set."""
    rest = tuple(pair for pair in shown.labels if pair[0] != label_set)
    return dataclasses.replace(shown, labels=(*rest, (label_set, label)))


def cell_filter(overview: LabelOverview, row: object, column: object, count: int) -> ImageFilter:
    """What a click in the coverage matrix asks for: a cell's images, or, for a hole, the row's
    images without a label. True stands for a whole row or column, None for "no label"."""
    wanted = ImageFilter()
    if row is not True:
        wanted = with_label(wanted, overview.rows, row if isinstance(row, str) else None)
    if column is not True:
        label = column if isinstance(column, str) and count else None
        wanted = with_label(wanted, overview.label_set, label)
    return wanted


def to_state(shown: ImageFilter) -> dict[str, Any]:
    """The filter as values JSON can hold."""
    state = dataclasses.asdict(shown)
    state["labels"] = [list(pair) for pair in shown.labels]
    state["ids"] = None if shown.ids is None else list(shown.ids)
    return state


def from_state(state: object) -> ImageFilter:
    """The filter that `to_state` gave; the empty one for anything that is none."""
    if not isinstance(state, dict):
        return ImageFilter()
    known = {field.name for field in dataclasses.fields(ImageFilter)}
    values = {name: value for name, value in state.items() if name in known}
    try:
        values["labels"] = tuple((str(s), label) for s, label in values.get("labels") or ())
        ids = values.get("ids")
        values["ids"] = None if ids is None else tuple(int(image) for image in ids)
        like = values.get("similar")
        values["similar"] = None if like is None else _similar(like)
        return ImageFilter(**values)
    except (TypeError, ValueError, KeyError):
        return ImageFilter()


def _similar(state: Mapping[str, Any]) -> Similar:
    images = tuple(int(image) for image in state["images"])
    return Similar(images, str(state["name"]), str(state["features"]))
