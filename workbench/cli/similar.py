"""The command `similar`: find similar images, and classify by neighbours, without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from workbench.app.session import Session
from workbench.app.similar.features import feature_source, forget_features, image_of_file
from workbench.app.similar.recognising import Recognised, recognise_task
from workbench.app.similar.similarity import Ranking, similar_task
from workbench.cli.command import (
    Output,
    Result,
    command,
    find_run,
    image_count,
    opened,
    project_argument,
)
from workbench.cli.labels import matching
from workbench.cli.progress import carry_out


@command(
    "similar",
    "workbench similar Birds owl01.jpg ~/Desktop/unknown.jpg -k 10\n"
    "workbench similar Birds new-photos/*.jpg --classify category --json\n"
    "workbench similar Birds --classify view --run latest\n"
    "workbench similar Birds owl01.jpg --start resnet18=weights.safetensors",
)
@project_argument
@click.argument("words", nargs=-1, metavar="[IMAGE]...")
@click.option("--run", default="", help="Compare features of this run (the newest run).")
@click.option(
    "--start",
    default="",
    metavar="BACKBONE[=FILE]",
    help="Compare features of ImageNet weights on this computer, or of a weights file.",
)
@click.option(
    "-k",
    "--count",
    "k",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="The number of similar images, or of neighbours that vote.",
)
@click.option(
    "--classify",
    "label_set",
    default="",
    metavar="LABELSET",
    help="Predict labels of this set by a vote of the k nearest labelled images instead.",
)
@click.option("--forget", is_flag=True, help="Delete all stored features of the project and exit.")
@click.option(
    "--crops/--images",
    "crops",
    default=None,
    help="Compare mouth crops, or whole images (what the run was trained on).",
)
def similar_command(
    out: Output,
    project: Path,
    words: tuple[str, ...],
    run: str,
    start: str,
    k: int,
    label_set: str,
    crops: bool | None,
    forget: bool,
) -> Result:
    """Find similar images, or predict labels from neighbours.

    An IMAGE is a file inside or outside the project, or a path, a glob or part of a path of images
    in it. Features are stored in the project and computed for new images only. With --classify,
    labels of the IMAGEs (by default of all unlabelled images) are predicted from their neighbours;
    the accuracy is measured on the labelled images, leaving one out at a time.
    """
    if run and start:
        raise click.UsageError("Give either --run or --start.")
    if not words and not label_set and not forget:
        raise click.UsageError("Give an IMAGE, or a label set with --classify.")
    with opened(project) as session:
        if forget:
            freed = forget_features(session)
            out.print(
                f"features deleted: {freed / 1e6:.1f} MB; they are computed again when needed"
            )
            return {"freed_bytes": freed}
        source = feature_source(
            session, f"run:{find_run(session, run).id}" if run else start, crops
        )
        images, files = _queries(session, words)
        if label_set:
            chosen = images if words else None
            found = carry_out(recognise_task(session, source, label_set, k, chosen, files))
            return _print_labels(out, found, k)
        ranking = carry_out(similar_task(session, source, images, files))
        return _print_ranking(out, session, ranking, k, images)


def _queries(session: Session, words: Sequence[str]) -> tuple[list[int], list[Path]]:
    """Ids of images of the project, and files outside it; a word that is no file must match images
    of the project."""
    images: list[int] = []
    files, others = [], []
    for word in words:
        if not Path(word).is_file():
            others.append(word)
            continue
        known = image_of_file(session, Path(word))
        if known is None:
            files.append(Path(word))
        else:
            images.append(known)
    return [*images, *(matching(session, others) if others else [])], files


def _print_ranking(
    out: Output,
    session: Session,
    ranking: Ranking,
    k: int,
    queries: Sequence[int],
) -> Result:
    others = [at for at, one in enumerate(ranking.images.tolist()) if one not in set(queries)][:k]
    rows = session.images.rows(ranking.images[others])
    scores = ranking.scores[others].tolist()
    size = f"{ranking.bytes / 1e6:.1f} MB"
    out.print(
        f"features of {ranking.source.title}; computed for {image_count(ranking.computed)} "
        f"(index: {size})"
    )
    out.table(
        ("similarity", "image"),
        [(score, row.path) for score, row in zip(scores, rows, strict=True)],
    )
    return {
        "features": ranking.source.name,
        "images": len(ranking.images),
        "computed": ranking.computed,
        "left_out": ranking.left_out,
        "index_bytes": ranking.bytes,
        "similar": [
            {"path": row.path, "similarity": score, "labels": row.labels}
            for score, row in zip(scores, rows, strict=True)
        ],
    }


def _print_labels(out: Output, found: Recognised, k: int) -> Result:
    out.print(
        f"features of {found.source.title}; {k} neighbours of {found.labelled} labelled images; "
        f"accuracy {found.accuracy:.1%}, leaving one out, on {image_count(found.measured)}\n"
    )
    out.table(
        ("label", "images", "right"), [(one.label, one.images, one.right) for one in found.labels]
    )
    if found.found:
        out.print("")
        out.table(("label", "votes", "image"), [(label, v, path) for path, label, v in found.found])
    return {
        "features": found.source.name,
        "neighbours": k,
        "labelled": found.labelled,
        "judged": found.measured,
        "accuracy": found.accuracy,
        "labels": [
            {"label": one.label, "images": one.images, "right": one.right} for one in found.labels
        ],
        "found": [
            {"path": path, "label": label, "votes": votes} for path, label, votes in found.found
        ],
    }
