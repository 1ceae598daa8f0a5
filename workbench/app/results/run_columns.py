"""The columns of runs, one entry each: the window, the CSV file, the commands and the manual read
them here, so that a new column is one more `RunColumn` in `RUN_COLUMNS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, Literal

from workbench.domain.runs import RunRecord, top1
from workbench.domain.splits import Part
from workbench.domain.text import mark

RunColumnKind = Literal["text", "count", "share", "moment", "status", "target", "backbone", "start"]


class RunPlace(Flag):
    """Where a column appears: the table of the Results page, the CSV file that it is saved as, the
    table that `workbench runs` prints, the JSON object of a run, and the Results page's table of
    pairs (only what both runs of a pair share)."""

    WINDOW = auto()
    CSV = auto()
    COMMAND = auto()
    JSON = auto()
    PAIRS = auto()
    TABLE = WINDOW | CSV
    PRINTED = COMMAND | JSON


@dataclass(frozen=True)
class RunColumn:
    """A fact about a run.

    `name` is the key in JSON and the head in `workbench runs`, `title` the head in the window and
    in CSV. `value` has its plain value: `kind` is "moment" for seconds since the epoch, "share" for
    a share of 1; the window writes the kinds "status", "target", "backbone" and "start" in its own
    words. `width` is in pixels, 0 takes what the others leave; the window leaves the column out
    while the table is narrower than `hidden_below` pixels.
    """

    name: str
    title: str
    value: Callable[[RunRecord], Any]
    meaning: str
    kind: RunColumnKind = "text"
    width: int = 96
    places: RunPlace = RunPlace.TABLE | RunPlace.PRINTED
    hidden_below: int = 0
    tip: str = ""


RUN_COLUMNS: tuple[RunColumn, ...] = (
    RunColumn(
        "run",
        "id",
        lambda run: run.id,
        "id of the run and name of its folder",
        places=RunPlace.CSV | RunPlace.PRINTED,
    ),
    RunColumn(
        "name",
        mark("Run"),
        lambda run: run.name,
        "its name, which you can change",
        width=0,
        tip=mark("Tick several runs to lay their curves over each other"),
    ),
    RunColumn(
        "target",
        mark("Target"),
        lambda run: run.target,
        "label set that it learns",
        kind="target",
        width=136,
    ),
    RunColumn(
        "backbone",
        mark("Backbone"),
        lambda run: run.recipe.backbone,
        "network",
        kind="backbone",
        width=128,
        places=RunPlace.TABLE | RunPlace.PAIRS,
    ),
    RunColumn(
        "frozen",
        mark("Frozen"),
        lambda run: run.recipe.frozen,
        "last stage that keeps its weights",
        places=RunPlace.PAIRS,
    ),
    RunColumn(
        "start",
        mark("Start"),
        lambda run: run.recipe.start,
        "start weights",
        kind="start",
        width=120,
        places=RunPlace.TABLE,
        hidden_below=1000,
    ),
    RunColumn(
        "test",
        mark("Test top-1"),
        top1,
        "top-1 accuracy on the test part",
        kind="share",
        width=92,
        places=RunPlace.TABLE | RunPlace.COMMAND,
    ),
    RunColumn(
        "epochs",
        mark("Epochs"),
        lambda run: run.epochs_done,
        "finished epochs",
        kind="count",
        width=64,
        places=RunPlace.TABLE | RunPlace.JSON,
        hidden_below=880,
    ),
    RunColumn(
        "when",
        mark("When"),
        lambda run: run.finished or run.created,
        "when it finished, or else was made",
        kind="moment",
        width=120,
        places=RunPlace.TABLE,
    ),
    RunColumn(
        "status",
        mark("Status"),
        lambda run: run.status.value,
        "where it stands",
        kind="status",
    ),
    RunColumn(
        "made",
        mark("Made"),
        lambda run: run.created,
        "when it was made",
        kind="moment",
        width=120,
        places=RunPlace.COMMAND,
    ),
    RunColumn(
        "validation",
        mark("Validation top-1"),
        lambda run: top1(run, Part.VALIDATION),
        "top-1 accuracy on the validation part",
        kind="share",
        places=RunPlace.COMMAND,
    ),
    RunColumn(
        "message",
        mark("Message"),
        lambda run: run.message,
        "why it failed",
        places=RunPlace.JSON,
    ),
)

# Where a place's order is not that of RUN_COLUMNS; columns not named here follow those that are.
_ORDERS: Mapping[RunPlace, tuple[str, ...]] = {
    RunPlace.COMMAND: ("run", "name", "target", "status", "made", "validation", "test"),
    RunPlace.JSON: ("run", "name", "status", "target", "epochs", "message"),
}


def run_columns(place: RunPlace) -> tuple[RunColumn, ...]:
    """The columns that appear in a place, in its order."""
    order = {name: at for at, name in enumerate(_ORDERS.get(place, ()))}
    found = [column for column in RUN_COLUMNS if place in column.places]
    return tuple(sorted(found, key=lambda column: order.get(column.name, len(order))))


def run_object(run: RunRecord) -> dict[str, object]:
    """A run as a JSON object, without its scores."""
    return {column.name: column.value(run) for column in run_columns(RunPlace.JSON)}
