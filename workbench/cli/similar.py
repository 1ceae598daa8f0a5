"""Images like others, and labels from neighbours, without training anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from workbench.app.session import Session
from workbench.app.similar.features import feature_source, forget_features, image_of_file
from workbench.app.similar.recognising import Recognised, recognise_task
from workbench.app.similar.similarity import Ranking, similar_task
from workbench.cli.command import Output, Result, command, find_run, opened, project_argument
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
@click.option("--run", default="", help="Compare by the features of this run (the newest).")
@click.option(
    "--start",
    default="",
    metavar="BACKBONE[=FILE]",
    help="Compare by ImageNet weights on this machine, or those in a file.",
)
@click.option("-k", "--count", "k", type=click.IntRange(1), default=20, show_default=True)
@click.option(
    "--classify",
    "label_set",
    default="",
    metavar="LABELSET",
    help="Label by a vote of the k nearest labelled neighbours instead.",
)
@click.option("--forget", is_flag=True, help="Only delete the features the project keeps.")
@click.option("--crops/--images", "crops", default=None, help="Mouth crops (as the run looks).")
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
    """Find the images most similar to every IMAGE together: files, also from outside the project,
    or paths, globs and texts that mean images in it.

    Features are kept in the project, so that only new images are computed again. With --classify,
    IMAGEs (none: all without a label of the set) are recognised by their neighbours, and how often
    that is right is measured on the labelled images, each left out in turn.
    """
    if run and start:
        raise click.UsageError("Give either --run or --start.")
    if not words and not label_set and not forget:
        raise click.UsageError("Say which image to look for, or --classify a label set.")
    with opened(project) as session:
        if forget:
            freed = forget_features(session)
            out.say(f"{freed / 1e6:.1f} MB of features deleted; they are made again when needed")
            return {"freed_bytes": freed}
        source = feature_source(
            session, f"run:{find_run(session, run).id}" if run else start, crops
        )
        images, files = _asked(session, words)
        if label_set:
            asked = images if words else None
            found = carry_out(recognise_task(session, source, label_set, k, asked, files))
            return _say_labels(out, found, k)
        ranking = carry_out(similar_task(session, source, images, files))
        return _say_ranking(out, session, ranking, k, images)


def _asked(session: Session, words: Sequence[str]) -> tuple[list[int], list[Path]]:
    """Images of the project, and files that are not in it: whatever is no file must mean images of
    the project."""
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


def _say_ranking(
    out: Output,
    session: Session,
    ranking: Ranking,
    k: int,
    asked: Sequence[int],
) -> Result:
    others = [at for at, one in enumerate(ranking.images.tolist()) if one not in set(asked)][:k]
    rows = session.images.rows(ranking.images[others])
    scores = ranking.scores[others].tolist()
    size = f"{ranking.bytes / 1e6:.1f} MB"
    out.say(f"by {ranking.source.words}; {ranking.computed} images were new to the index ({size})")
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


def _say_labels(out: Output, found: Recognised, k: int) -> Result:
    out.say(
        f"by {found.source.words}; {k} neighbours among {found.labelled} labelled images are right "
        f"about {found.accuracy:.1%} of {found.judged}, each left out in turn\n"
    )
    out.table(
        ("label", "images", "right"), [(one.label, one.images, one.right) for one in found.labels]
    )
    if found.found:
        out.say("")
        out.table(("label", "votes", "image"), [(label, v, path) for path, label, v in found.found])
    return {
        "features": found.source.name,
        "neighbours": k,
        "labelled": found.labelled,
        "judged": found.judged,
        "accuracy": found.accuracy,
        "labels": [
            {"label": one.label, "images": one.images, "right": one.right} for one in found.labels
        ],
        "found": [
            {"path": path, "label": label, "votes": votes} for path, label, votes in found.found
        ],
    }
