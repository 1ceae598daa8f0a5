"""What a researcher asks before a transfer: which start suits, and which source is related."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from workbench.app.open_project import OpenProject
from workbench.app.transfer.assessing import assess_task, assessments
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources
from workbench.cli.frame import Result, command, opened, project_argument
from workbench.cli.output import Output
from workbench.cli.progress import carry_out
from workbench.domain.assessments import StartReport, TransferReport
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import (
    RelatednessOrder,
    SourceRelatedness,
    in_words,
    number_names,
)


@command(
    "transferability",
    "workbench transferability Birds --target category --start imagenet --start none\n"
    "workbench transferability Birds --start run:20260101-120000-ab12 --json\n"
    "workbench transferability Birds --last",
)
@project_argument
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option(
    "--start",
    "starts",
    multiple=True,
    metavar="START",
    help="imagenet, none, file:PATH or run:ID; several are compared.  [default: imagenet]",
)
@click.option("--backbone", default="", help="Of starts that do not say it (the one advised).")
@click.option("--neighbours", type=click.IntRange(1), default=1, show_default=True)
@click.option("--last", is_flag=True, help="Show the last answer again and compute nothing.")
def transferability_command(
    out: Output,
    project: Path,
    target: str,
    starts: tuple[str, ...],
    backbone: str,
    neighbours: int,
    last: bool,
) -> Result:
    """Score how well starts suit a target before anything is trained, and advise what to set.

    Where finished runs of the same start, or from scratch, are there, the gaps to them are shown.
    """
    with opened(project) as op:
        if last:
            report = _last(op, target)
        else:
            chosen = starts or ("imagenet",)
            report = carry_out(assess_task(op, target, chosen, backbone, neighbours))
        _say(out, report)
        return _as_json(report)


def _last(op: OpenProject, target: str) -> TransferReport:
    for report in assessments(op):
        if report.target == target:
            return report
    raise KnownError(
        f"No start has been scored for {target} yet.", "Leave --last out to score some now."
    )


def _as_json(report: TransferReport) -> dict[str, object]:
    found = report.assessment
    return {
        "target": report.target,
        "held_out": found.held_out,
        "train_images": found.train_images,
        "held_out_images": found.held_out_images,
        "classes": found.classes,
        "chance": found.chance,
        "starts": [
            msgspec.to_builtins(one.scores)
            | {
                "fine_tuned_run": one.fine_tuned_run,
                "fine_tuned_top1": one.fine_tuned_top1,
                "tuning_gap": one.tuning_gap,
                "scratch_run": one.scratch_run,
                "scratch_top1": one.scratch_top1,
                "negative_transfer_gap": one.negative_transfer_gap,
                "advice": {"values": one.values, "reasons": dict(one.reasons)},
            }
            for one in report.starts
        ],
    }


def _say(out: Output, report: TransferReport) -> None:
    found = report.assessment
    out.say(
        f"{found.train_images} training images of {found.classes} classes; heads are judged on "
        f"{found.held_out_images} images of the {found.held_out} part (chance {found.chance:.4f})\n"
    )
    head = ("start", "backbone", "H-score", "LEEP", "NCE", "neighbours", "frozen", "domain", "gap")
    out.table((*head, "harm"), [_row(one) for one in report.starts if not one.scores.unread])
    for one in report.starts:
        if one.scores.unread:
            out.warn(f"{one.scores.start}: {one.scores.unread}")
            continue
        out.say(f"\n{one.scores.start}")
        for _, reason in one.reasons:
            out.say(f"  {reason}")
        for key, value in one.values.items():
            out.say(f"    --set {key}={setting_of(value)}")


def _row(one: StartReport) -> tuple[object, ...]:
    scores = one.scores
    return (
        scores.start,
        scores.backbone,
        scores.h_score,
        scores.leep,
        scores.nce,
        scores.neighbours,
        scores.frozen_top1,
        scores.domain_similarity,
        one.tuning_gap,
        one.negative_transfer_gap,
    )


def setting_of(value: object) -> str:
    """A recipe value as `--set` takes it."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} = {setting_of(own)}" for key, own in value.items())
        return "{ " + inside + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


@command(
    "relatedness",
    "workbench relatedness Sparrows --from Finches --from Cars\n"
    "workbench relatedness Sparrows --from Finches#view --json",
)
@project_argument
@click.option("--target", default="category", show_default=True, help="The target's label set.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    required=True,
    metavar="PROJECT[#LABELS]",
    help="A source; its label set is that of the target unless it is said.",
)
@click.option("--per-class", type=click.IntRange(1), default=50, show_default=True)
@click.option("--networks", type=click.IntRange(1), default=3, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--numbers", is_flag=True, help="Show every number of the first source in words.")
def relatedness_command(
    out: Output,
    project: Path,
    target: str,
    sources: tuple[str, ...],
    per_class: int,
    networks: int,
    seed: int,
    numbers: bool,
) -> Result:
    """Rank sources by how related their images are to the project's own.

    A small network learns from a few images of all of them which are of the same kind.
    """
    with opened(project) as op:
        order = RelatednessOrder(domains=(), per_class=per_class, networks=networks, seed=seed)
        found = carry_out(compare_task(op, target, named_sources(sources, target), order))
        say_ranking(out, found.sources)
        if numbers:
            best = found.sources[0]
            out.say("")
            names = number_names(found.views)
            out.table(("number", ""), list(zip(names, best.numbers, strict=True)))
        return {"ranked": ranked(found.sources)}


def ranked(sources: Sequence[SourceRelatedness]) -> list[dict[str, object]]:
    """The sources for programs, the most related first."""
    return [
        msgspec.to_builtins(one) | {"words": list(in_words(one, at == 0))}
        for at, one in enumerate(sources)
    ]


def say_ranking(out: Output, sources: Sequence[SourceRelatedness]) -> None:
    """The sources as a table, and what the figures of each mean."""
    out.table(
        ("source", "association", "agreeing", "of", "similarity", "coverage", "images"),
        [(s.name, s.doa, s.agreeing, s.pairs, s.similarity, s.coverage, s.images) for s in sources],
    )
    for at, one in enumerate(sources):
        out.say(f"\n{one.name}")
        for sentence in in_words(one, at == 0):
            out.say(f"  {sentence}")
