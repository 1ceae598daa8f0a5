"""The columns of runs, one entry each, for the window, CSV files, the command line and the manual.

A new column is one more `RunColumn` in `RUN_COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, Literal

from workbench.domain.registry import Registry
from workbench.domain.runs import RunRecord, image_count, top1
from workbench.domain.splits import Part
from workbench.domain.text import mark
from workbench.domain.values import Json

RunColumnKind = Literal[
    "text",
    "count",
    "share",
    "moment",
    "duration",
    "bytes",
    "status",
    "target",
    "backbone",
    "start",
]


class RunOutput(Flag):
    """Where a column appears.

    WINDOW is the table of the Results page, CSV the file it is saved as, COMMAND the table printed
    by `workbench runs`, JSON the object of a run, and PAIRS the Results page's table of pairs,
    which has only what both runs of a pair share.
    """

    WINDOW = auto()
    CSV = auto()
    COMMAND = auto()
    JSON = auto()
    PAIRS = auto()
    TABLE = WINDOW | CSV
    PRINTED = COMMAND | JSON


EVERYWHERE = RunOutput.TABLE | RunOutput.PRINTED
NOWHERE = RunOutput(0)


@dataclass(frozen=True)
class RunColumn:
    """A column of runs.

    `name` is the key in JSON and the heading in `workbench runs`, `title` the heading in the window
    and in CSV. `value` returns the plain value: seconds since the epoch for the kind "moment", a
    number in [0, 1] for "share", seconds for "duration"; the window has its own texts for "status",
    "target", "backbone" and "start". `meaning` describes the column in the manual. `width` is in
    pixels (0: what the others leave). Unless the user chooses columns, those in `optional` are not
    shown there, and the window hides the column if the table is narrower than `hidden_below`
    pixels.
    """

    name: str
    title: str
    value: Callable[[RunRecord], Any]
    meaning: str
    kind: RunColumnKind = "text"
    width: int = 96
    outputs: RunOutput = RunOutput.TABLE | RunOutput.PRINTED
    hidden_below: int = 0
    tip: str = ""
    optional: RunOutput = NOWHERE


RUN_COLUMNS: Registry[RunColumn] = Registry("column")
for _column in (
    RunColumn(
        "run",
        mark("id"),
        lambda run: run.id,
        "id of the run and name of its folder",
        outputs=RunOutput.CSV | RunOutput.PRINTED,
    ),
    RunColumn(
        "name",
        mark("Run"),
        lambda run: run.name,
        "name of the run, which can be changed",
        width=0,
        tip=mark("Tick several runs to compare their curves"),
    ),
    RunColumn(
        "target",
        mark("Target"),
        lambda run: run.target,
        "label set the run learns",
        kind="target",
        width=136,
        hidden_below=1480,
    ),
    RunColumn(
        "backbone",
        mark("Backbone"),
        lambda run: run.recipe.backbone,
        "network that computes the features",
        kind="backbone",
        width=128,
        outputs=EVERYWHERE | RunOutput.PAIRS,
    ),
    RunColumn(
        "head",
        mark("Head"),
        lambda run: run.recipe.head,
        "how its feature maps are pooled",
        width=124,
        outputs=EVERYWHERE,
    ),
    RunColumn(
        "method",
        mark("Method"),
        lambda run: run.recipe.method,
        "training method",
        width=88,
        outputs=EVERYWHERE,
    ),
    RunColumn(
        "penalty",
        mark("Penalty"),
        lambda run: run.recipe.penalty,
        "regularisation terms, joined by `+`",
        width=88,
        outputs=EVERYWHERE,
        hidden_below=960,
    ),
    RunColumn(
        "frozen",
        mark("Frozen"),
        lambda run: run.recipe.frozen,
        "last frozen stage",
        width=80,
        outputs=EVERYWHERE | RunOutput.PAIRS,
    ),
    RunColumn(
        "start",
        mark("Start"),
        lambda run: run.recipe.start,
        "start weights",
        kind="start",
        width=120,
        outputs=EVERYWHERE,
        hidden_below=1480,
        optional=RunOutput.COMMAND,
    ),
    RunColumn(
        "images",
        mark("Images"),
        image_count,
        "labelled images in its train part",
        kind="count",
        width=72,
        outputs=EVERYWHERE,
        hidden_below=1180,
        tip=mark("Labelled images in the train part"),
    ),
    RunColumn(
        "size",
        mark("Image size"),
        lambda run: run.recipe.image_size,
        "side of the network's input in pixels",
        kind="count",
        width=88,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW | RunOutput.COMMAND,
    ),
    RunColumn(
        "seed",
        mark("Seed"),
        lambda run: run.recipe.seed,
        "seed of all random numbers",
        kind="count",
        width=64,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW | RunOutput.COMMAND,
    ),
    RunColumn(
        "test",
        mark("Test top-1"),
        top1,
        "top-1 accuracy on the test part",
        kind="share",
        width=92,
        outputs=EVERYWHERE,
    ),
    RunColumn(
        "epochs",
        mark("Epochs"),
        lambda run: run.epochs_done,
        "finished epochs",
        kind="count",
        width=64,
        outputs=EVERYWHERE,
        hidden_below=1480,
        optional=RunOutput.COMMAND,
    ),
    RunColumn(
        "seconds",
        mark("Time"),
        lambda run: run.seconds or None,
        "training time of its finished epochs, with their scoring and without pauses",
        kind="duration",
        width=72,
        outputs=EVERYWHERE,
        tip=mark("Training time of the finished epochs, without pauses"),
    ),
    RunColumn(
        "memory",
        mark("Memory"),
        lambda run: run.memory or None,
        "peak resident memory of its learning process, in bytes in `--json`; of the main one if "
        "several processes train",
        kind="bytes",
        width=80,
        outputs=EVERYWHERE,
        hidden_below=1180,
        tip=mark("Peak memory of the learning process"),
    ),
    RunColumn(
        "device_memory",
        mark("GPU memory"),
        lambda run: run.device_memory or None,
        "peak memory of its tensors on a GPU",
        kind="bytes",
        width=96,
        outputs=EVERYWHERE,
        tip=mark("Peak memory of its tensors on a GPU"),
        optional=RunOutput.WINDOW | RunOutput.COMMAND,
    ),
    RunColumn(
        "when",
        mark("Date"),
        lambda run: run.finished or run.created,
        "when it finished, or was created if it has not",
        kind="moment",
        width=144,
        outputs=EVERYWHERE,
        hidden_below=1400,
        optional=RunOutput.COMMAND,
    ),
    RunColumn(
        "split",
        mark("Split"),
        lambda run: run.split,
        "name of the split it was prepared with",
        width=120,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW | RunOutput.COMMAND,
    ),
    RunColumn(
        "status",
        mark("Status"),
        lambda run: run.status.value,
        "status of the run",
        kind="status",
    ),
    RunColumn(
        "made",
        mark("Created"),
        lambda run: run.created,
        "when it was created",
        kind="moment",
        width=144,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW,
    ),
    RunColumn(
        "validation",
        mark("Validation top-1"),
        lambda run: top1(run, Part.VALIDATION),
        "top-1 accuracy on the validation part",
        kind="share",
        width=128,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW,
    ),
    RunColumn(
        "version",
        mark("Version"),
        lambda run: run.version,
        "version of the labels that it saw",
        width=120,
        outputs=EVERYWHERE,
        optional=RunOutput.WINDOW | RunOutput.COMMAND,
    ),
    RunColumn(
        "message",
        mark("Message"),
        lambda run: run.message,
        "why it failed",
        outputs=RunOutput.JSON,
    ),
):
    RUN_COLUMNS.register(_column)

# Orders that differ from RUN_COLUMNS; columns not named here follow the others.
_ORDERS: Mapping[RunOutput, tuple[str, ...]] = {
    RunOutput.COMMAND: ("run", "name", "target", "status", "made", "validation", "test"),
    RunOutput.JSON: ("run", "name", "status", "target", "epochs", "message", "version"),
}


def run_columns(output: RunOutput, optional: bool = True) -> tuple[RunColumn, ...]:
    """The columns of an output, in its order; without those that are shown on request only if not
    `optional`."""
    order = {name: at for at, name in enumerate(_ORDERS.get(output, ()))}
    found = [
        column
        for column in RUN_COLUMNS.values()
        if output in column.outputs and (optional or output not in column.optional)
    ]
    return tuple(sorted(found, key=lambda column: order.get(column.name, len(order))))


def run_object(run: RunRecord) -> dict[str, Json]:
    """The JSON object of a run, without its scores."""
    return {column.name: column.value(run) for column in run_columns(RunOutput.JSON)}
