"""The commands `transferability`, `layers`, `relatedness` and `transfer`."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from workbench.app.session import Session
from workbench.app.transfer import transferring
from workbench.app.transfer.assessing import assess_task, assessments, layer_studies, layers_task
from workbench.app.transfer.relatedness import compare_task
from workbench.app.transfer.sources import named_sources, opened_beside, written_source
from workbench.app.transfer.transfer_runs import TransferStage, steps
from workbench.cli.command import (
    Output,
    Result,
    as_json_values,
    command,
    image_count,
    opened,
    project_argument,
    seed_option,
)
from workbench.cli.progress import CommandInterrupted, carry_out
from workbench.cli.runs import run_with_scores, scores_of
from workbench.cli.train import print_missing, settings_of, train_run
from workbench.domain.assessments import LayerStudy, StartReport, TransferReport
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import KeyValue, with_setting
from workbench.domain.relatedness import (
    RelatednessRequest,
    SourceRelatedness,
    interpretation,
    number_names,
)
from workbench.domain.splits import Part
from workbench.domain.transfers import Transfer, TransferRequest
from workbench.domain.values import Cells, Json

BACKBONE_HELP = "The backbone, if the start does not determine it (the recommended one)."
LAST_HELP = "Show the last result again and compute nothing."


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
    help="imagenet, none, file:PATH or run:ID; repeat it to compare several.  [default: imagenet]",
)
@click.option("--backbone", default="", help=BACKBONE_HELP)
@click.option(
    "--neighbours",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Neighbours in the nearest-neighbour accuracy.",
)
@click.option("--last", is_flag=True, help=LAST_HELP)
def transferability_command(
    out: Output,
    project: Path,
    target: str,
    starts: tuple[str, ...],
    backbone: str,
    neighbours: int,
    last: bool,
) -> Result:
    """Score how well starts suit a label set before training.

    Also recommends settings for each start. Finished runs from the same start, and from scratch,
    are compared with the scores.
    """
    with opened(project) as session:
        if last:
            report = _last(session, target)
        else:
            chosen = starts or ("imagenet",)
            report = carry_out(assess_task(session, target, chosen, backbone, neighbours))
        _print_scores(out, session, project, report)
        return _as_json(report)


def _last(session: Session, target: str) -> TransferReport:
    for report in assessments(session):
        if report.target == target:
            return report
    raise KnownError(
        "No starts have been scored for {target} yet.",
        "Omit --last to score some now.",
        target=target,
    )


def _as_json(report: TransferReport) -> dict[str, Json]:
    found = report.assessment
    return {
        "target": report.target,
        "held_out": found.held_out,
        "train_images": found.train_images,
        "held_out_images": found.held_out_images,
        "classes": found.classes,
        "chance": found.chance,
        "starts": [
            as_json_values(one.scores)
            | {"fine_tuned_run": one.fine_tuned_run, "fine_tuned_top1": one.fine_tuned_top1}
            | {"tuned_run": one.tuned_run, "frozen_run": one.frozen_run}
            | {"tuning_gap": one.tuning_gap, "transfer_run": one.transfer_run}
            | {"scratch_run": one.scratch_run, "scratch_top1": one.scratch_top1}
            | {"negative_transfer_gap": one.negative_transfer_gap}
            | {"missing": [as_json_values(run) for run in one.missing]}
            | {"advice": {"values": one.values, "reasons": dict(one.reasons)}}
            for one in report.starts
        ],
    }


def _print_scores(out: Output, session: Session, project: Path, report: TransferReport) -> None:
    found = report.assessment
    out.print(
        f"{found.train_images} training images of {found.classes} classes; accuracy on "
        f"{found.held_out_images} images of the {found.held_out} part (chance {found.chance:.4f})\n"
    )
    head = ("start", "backbone", "H-score", "LEEP", "NCE", "neighbours", "frozen", "domain", "gap")
    out.table((*head, "harm"), [_row(one) for one in report.starts if not one.scores.unread])
    for one in report.starts:
        if one.scores.unread:
            out.warn(f"{one.scores.start}: {one.scores.unread}")
            continue
        out.print(f"\n{one.scores.start}")
        for _, reason in one.reasons:
            out.print(f"  {reason}")
        print_missing(out, session, project, one.missing)
        for setting in settings_of(one.values):
            out.print(f"    --set {shlex.quote(setting)}")


def _row(one: StartReport) -> Cells:
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


@command(
    "relatedness",
    "workbench relatedness Sparrows --from Finches --from Cars\n"
    "workbench relatedness Sparrows --from Finches#view --json",
)
@project_argument
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    required=True,
    metavar="PROJECT[#LABELS]",
    help="A project to rank; repeat it for several. LABELS is its label set (the target's name).",
)
@click.option(
    "--per-class",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Images of each class that are used.",
)
@click.option(
    "--networks",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Networks that are trained and compared.",
)
@seed_option
@click.option("--numbers", is_flag=True, help="Also show each number of the closest source.")
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
    """Rank other projects by how related their images are.

    A small network learns, from a few images of all projects, which images belong to the same
    class.
    """
    with opened(project) as session:
        request = RelatednessRequest(domains=(), per_class=per_class, networks=networks, seed=seed)
        found = carry_out(compare_task(session, target, named_sources(sources, target), request))
        print_ranking(out, found.sources)
        if numbers:
            best = found.sources[0]
            out.print("")
            names = number_names(found.views)
            out.table(("number", ""), list(zip(names, best.numbers, strict=True)))
        return {"ranked": ranked(found.sources)}


def ranked(sources: Sequence[SourceRelatedness]) -> list[dict[str, Json]]:
    """The JSON objects of the sources, most related first."""
    return [
        as_json_values(one) | {"words": [str(text) for text in interpretation(one, at == 0)]}
        for at, one in enumerate(sources)
    ]


def print_ranking(out: Output, sources: Sequence[SourceRelatedness]) -> None:
    """Print the sources as a table, and the meaning of their numbers."""
    out.table(
        ("source", "association", "agreeing", "pairs", "similarity", "coverage", "images"),
        [(s.name, s.doa, s.agreeing, s.pairs, s.similarity, s.coverage, s.images) for s in sources],
    )
    for at, one in enumerate(sources):
        out.print(f"\n{one.name}")
        for sentence in interpretation(one, at == 0):
            out.print(f"  {sentence}")


class _Interrupted(Exception):
    """A training failed or was paused; `problem` is its JSON object."""

    def __init__(self, problem: dict[str, str]) -> None:
        super().__init__()
        self.problem = problem


@command(
    "transfer",
    "workbench transfer Sparrows --from Finches --from Cars\n"
    "workbench transfer Sparrows --from Finches --set epochs=30 --compare-views --json",
)
@project_argument
@click.option(
    "--from",
    "sources",
    multiple=True,
    required=True,
    metavar="PROJECT[#LABELS]",
    help="A source project; repeat it for several. LABELS is its label set (the target's name).",
)
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option(
    "--start", default="imagenet", show_default=True, help="The start of the source's training."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set a recipe key.")
@click.option(
    "--source-set",
    "own",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set a recipe key of the source's training only.",
)
@click.option(
    "--no-views", is_flag=True, help="Learn the category alone, even if images have views."
)
@click.option("--compare-views", is_flag=True, help="Also train the winner without views.")
@seed_option
def transfer_command(
    out: Output,
    project: Path,
    sources: tuple[str, ...],
    target: str,
    start: str,
    settings: tuple[str, ...],
    own: tuple[str, ...],
    no_views: bool,
    compare_views: bool,
    seed: int,
) -> Result:
    """Transfer from the most closely related project.

    Trains on the closest source, then on PROJECT from that run with 4, 5 and 6 frozen layers. The
    candidate that agrees most often with the majority of the three wins. Views are learned too
    if images have them. Ctrl+C stops; the same command resumes.
    """
    named = named_sources(sources, target)
    request = TransferRequest(
        label_set=target,
        sources=tuple(written_source(*source) for source in named.values()),
        start=_start(start),
        settings=_settings(settings),
        source_settings=_settings(own),
        views=not no_views,
        compare_views=compare_views,
        seed=seed,
    )
    with opened(project) as session:
        transfer = transferring.begin(session, request)
        try:
            _run_steps(session, out, transfer)
        except _Interrupted as interrupted:
            ranking = transferring.latest(session, transfer).ranked
            return {"ranked": ranked(ranking)} | interrupted.problem
        transfer = transferring.latest(session, transfer)
        result = _result(session, transfer, named[transfer.source][0])
        _print_votes(out, transfer, result)
        return result


def _run_steps(session: Session, out: Output, transfer: Transfer) -> None:
    """Run the remaining steps: compare, train the source and the candidates, and vote."""
    if transfer.ranked:
        print_ranking(out, transfer.ranked)
    stop = threading.Event()
    with closing(steps(session, transfer)) as remaining:
        for step in remaining:
            if stop.is_set():  # set in the last moments of the step before
                raise CommandInterrupted
            if step.task is not None:
                carry_out(step.task, stop)
                if step.stage is TransferStage.COMPARE:
                    print_ranking(out, transferring.latest(session, transfer).ranked)
            for run in step.runs:
                _train(step.session, run, out)


def _train(session: Session, run: str, out: Output) -> None:
    if out.interrupted:  # in the last moments of the run before
        raise CommandInterrupted
    out.warn(session.runs.get(run).name)
    problem = train_run(session, run, out)
    if problem or out.exit_code:
        out.warn("Resume with the same command.")
        raise _Interrupted(problem or {"status": session.runs.get(run).status.value, "run": run})


def _start(start: str) -> str:
    kind, _, rest = start.partition(":")
    return f"file:{Path(rest).expanduser().resolve()}" if kind == "file" else start


def _settings(given: tuple[str, ...]) -> dict[str, KeyValue]:
    found: dict[str, KeyValue] = {}
    for setting in given:
        found = with_setting(found, setting)
    for key in transferring.OWN_KEYS:
        if key in found:
            raise ValueRefused(
                "--set", f"{key}={found[key]}", f"all keys but {key}, which is set here"
            )
    return found


def _result(session: Session, transfer: Transfer, folder: Path) -> dict[str, Json]:
    """The JSON object: ranking, the source in `folder`, candidates, and the winner's scores."""
    with opened_beside(session, folder) as source:
        learned = _run(source, transfer.source_run)
    made = {c.frozen: _run(session, c.run) for c in transfer.candidates}
    result: dict[str, Json] = {
        "ranked": ranked(transfer.ranked),
        "source": learned | {"project": transfer.source},
        "joint": transfer.joint,
        "candidates": [
            {
                **made[c.frozen],
                "layers": c.layers,
                "frozen": c.frozen,
                "votes": c.votes,
                "alone": c.alone,
            }
            for c in transfer.candidates
        ],
        "winner": transfer.winner,
        "drawn": transfer.drawn,
        "voted": transfer.voted,
        "disputed": transfer.disputed,
        "run": transfer.winner_run,
        "parts": made[transfer.winner]["parts"],
    }
    if transfer.single:
        result["views"] = {
            "without": _run(session, transfer.single),
            "with": made[transfer.winner],
        }
    return result


def _run(session: Session, id: str) -> dict[str, Json]:
    run = session.runs.get(id)
    return run_with_scores(run, scores_of(session, run))


def _print_votes(out: Output, transfer: Transfer, result: Mapping[str, Any]) -> None:
    out.print(f"\ncandidates from {transfer.source} (run {transfer.source_run})")
    rows = [
        (
            f"1–{one['layers']}",
            one["frozen"],
            one["run"],
            _top1(one),
            one["votes"],
            round(one["seconds"] or 0),
        )
        for one in result["candidates"]
    ]
    out.table(("frozen layers", "up to", "run", "top-1", "votes", "seconds"), rows)
    drawn = " (drawn by lot among equals)" if transfer.drawn else ""
    out.print(
        f"\nwinner: frozen up to {transfer.winner}{drawn}; the candidates disagreed on "
        f"{transfer.disputed} of {image_count(transfer.voted)}"
    )
    if "views" in result:
        alone, along = (result["views"][key] for key in ("without", "with"))
        learned = (("category alone", alone), ("with views", along))
        out.print("")
        out.table(("learned", "run", "top-1"), [(n, r["run"], _top1(r)) for n, r in learned])


def _time(one: Mapping[str, Any]) -> int:
    return round(one["seconds"] or 0)


def _top1(one: Mapping[str, Any]) -> float | None:
    for part in (Part.TEST.value, Part.VALIDATION.value):
        if part in one["parts"]:
            return float(one["parts"][part]["top1"])
    return None


@command(
    "layers",
    "workbench layers Birds --backbone alexnet --target category\n"
    "workbench layers Birds --start run:20260101-120000-ab12 --json",
)
@project_argument
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option("--backbone", default="", help=BACKBONE_HELP)
@click.option(
    "--start", default="imagenet", show_default=True, help="imagenet, none, file:PATH or run:ID."
)
@seed_option
@click.option("--last", is_flag=True, help=LAST_HELP)
def layers_command(
    out: Output, project: Path, target: str, backbone: str, start: str, seed: int, last: bool
) -> Result:
    """Show how accuracy grows with the depth of a network.

    Trains a linear head on the output of each stage, and on the scores of the start's own last
    layer if it has one: “classifier”, with a feature for each of its classes.
    """
    with opened(project) as session:
        if last:
            known = layer_studies(session, target, backbone)
            if not known:
                raise KnownError(
                    "No stages have been scored for {target} yet.",
                    "Omit --last to score some now.",
                    target=target,
                )
            study = known[0]
        else:
            study = carry_out(layers_task(session, target, start, backbone, seed))
        _print_layers(out, study)
        return as_json_values(study) | {"best": study.found.best.stage}


def _print_layers(out: Output, study: LayerStudy) -> None:
    found = study.found
    out.print(
        f"{study.backbone} from {study.start}: {found.train_images} training images of "
        f"{found.classes} classes; accuracy on {found.held_out_images} images of the "
        f"{found.held_out} part (chance {found.chance:.4f})\n"
    )
    rows = [(one.stage, one.features, one.train_top1, one.top1) for one in found.layers]
    out.table(("stage", "features", "train top-1", "top-1"), rows)
    out.print(f"\nbest: {found.best.stage}")
