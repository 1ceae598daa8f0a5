"""The command `cluster`: group images without labels, and label whole groups."""

from __future__ import annotations

from pathlib import Path

import click

from workbench.app.session import Session
from workbench.app.similar.clustering import (
    agreement,
    cluster_request,
    cluster_task,
    forget_clusterings,
    label_clusters,
)
from workbench.app.similar.features import feature_source
from workbench.cli.command import (
    Output,
    Result,
    command,
    find_run,
    image_count,
    opened,
    project_argument,
    seed_option,
)
from workbench.cli.progress import carry_out
from workbench.domain.clusters import CLUSTERINGS, CLUSTERS_FILE, DEEP_CLUSTER, Clustering, Clusters
from workbench.domain.errors import ValueRefused
from workbench.domain.values import Cells, Json

SHOWN = 5  # example images of each group


@command(
    "cluster",
    "workbench cluster Birds --method deepcluster -k 6\n"
    "workbench cluster Birds --method iic -k 6 --run latest --json\n"
    "workbench cluster Birds -k 6 --label-set category --label 1=owl --label 3=puffin\n"
    "workbench cluster Birds -k 6 --label-set group --surest 0.5",
)
@project_argument
@click.option(
    "--method",
    type=click.Choice(list(CLUSTERINGS)),
    default=DEEP_CLUSTER.name,
    show_default=True,
    help="The clustering method.",
)
@click.option(
    "-k",
    "--clusters",
    "k",
    type=click.IntRange(2),
    default=10,
    show_default=True,
    help="The number of groups.",
)
@click.option("--run", default="", help="Start from the network of this run (the newest run).")
@click.option(
    "--start",
    default="",
    metavar="BACKBONE[=FILE]",
    help="Start from ImageNet weights on this computer, or from a weights file.",
)
@click.option(
    "--rounds",
    type=click.IntRange(0),
    default=0,
    help="Passes over the images (as many as the method recommends).",
)
@seed_option
@click.option("--label-set", default="", help="Label the images of the groups in this label set.")
@click.option(
    "--label",
    "names",
    multiple=True,
    metavar="N=LABEL",
    help="Label group N only, with LABEL; may be repeated.",
)
@click.option("--forget", is_flag=True, help="Delete all stored groups of the project and exit.")
@click.option(
    "--surest",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Label only this share of each group, the most confident images.",
)
def cluster_command(
    out: Output,
    project: Path,
    method: str,
    k: int,
    run: str,
    start: str,
    rounds: int,
    seed: int,
    label_set: str,
    names: tuple[str, ...],
    surest: float,
    forget: bool,
) -> Result:
    """Group all images by appearance, without labels.

    A network learns the groups. Ctrl+C stops; the same command resumes, and computes nothing once
    the groups are complete. With --label-set, the images of the groups are then labelled as one
    edit: "group 1", "group 2" and so on, or as given by --label.
    """
    if run and start:
        raise click.UsageError("Give either --run or --start.")
    if names and not label_set:
        raise click.UsageError("--label needs --label-set.")
    given = _labels_of(names, k)
    with opened(project) as session:
        if forget:
            deleted = forget_clusterings(session)
            out.print(f"groupings deleted: {deleted}; labels given from them remain")
            return {"deleted": deleted}
        source = feature_source(session, f"run:{find_run(session, run).id}" if run else start)
        request = cluster_request(source, method, k, rounds, seed)
        made = carry_out(cluster_task(session, source, request))
        clusters = session.clusterings.read(made.id)
        labelled = None
        if label_set:
            numbered = {at: f"group {at + 1}" for at, size in enumerate(made.sizes) if size}
            labelled = label_clusters(session, clusters, label_set, given or numbered, surest)
            out.print(f"labelled in {label_set}: {image_count(labelled)}\n")
        return _print(out, session, made, clusters, labelled)


def _labels_of(given: tuple[str, ...], count: int) -> dict[int, str]:
    """Labels by cluster number (from 0) of `count`, parsed from texts such as "3=owl"."""
    found = {}
    for text in given:
        number, mark, label = text.partition("=")
        known = number.isdecimal() and 1 <= int(number) <= count
        if not mark or not known or not label.strip():
            allowed = f"N=LABEL, where N is the number of a group, from 1 to {count}"
            raise ValueRefused("--label", text, allowed)
        found[int(number) - 1] = label
    return found


def _print(
    out: Output, session: Session, made: Clustering, clusters: Clusters, labelled: int | None
) -> Result:
    groups: list[dict[str, Json]] = []
    rows: list[Cells] = []
    for at, size in enumerate(made.sizes):
        sure = clusters.mean_confidence(at)
        surest = [row.path for row in session.images.rows(clusters.members(at)[:SHOWN])]
        groups.append({"group": at + 1, "images": size, "sure": sure, "surest": surest})
        rows.append((at + 1, size, sure, ", ".join(Path(path).name for path in surest)))
    out.print(f"{CLUSTERINGS[made.method].title} from {made.start_title}")
    out.table(("group", "images", "confidence", "most confident images"), rows)
    found = agreement(session, clusters, "category")
    if found is not None:
        out.print(
            f"\ncompared with the category of {image_count(found[2])}: normalised mutual "
            f"information {found[0]:.3f}, purity {found[1]:.1%}"
        )
    return {
        "id": made.id,
        "method": made.method,
        "start": made.start_title,
        "groups": groups,
        "labelled": labelled,
        "category_nmi": found[0] if found else None,
        "category_purity": found[1] if found else None,
        "file": str(session.clusterings.folder / made.id / CLUSTERS_FILE),
    }
