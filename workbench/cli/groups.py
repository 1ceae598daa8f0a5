"""Groups of images without labels, and labels made of them."""

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
from workbench.cli.command import Output, Result, command, find_run, opened, project_argument
from workbench.cli.progress import carry_out
from workbench.domain.clusters import CLUSTERINGS, DEEP_CLUSTER, Clustering, Clusters
from workbench.domain.errors import ValueRefused

SHOWN = 5  # images of a cluster that are named


@command(
    "cluster",
    "workbench cluster Birds --method deepcluster -k 6\n"
    "workbench cluster Birds --method iic -k 6 --run latest --json\n"
    "workbench cluster Birds -k 6 --label-set category --label 1=owl --label 3=puffin\n"
    "workbench cluster Birds -k 6 --label-set group --surest 0.5",
)
@project_argument
@click.option(
    "--method", type=click.Choice(list(CLUSTERINGS)), default=DEEP_CLUSTER.name, show_default=True
)
@click.option("-k", "--clusters", "k", type=click.IntRange(2), default=10, show_default=True)
@click.option("--run", default="", help="Start from this run's network (the newest).")
@click.option(
    "--start",
    default="",
    metavar="BACKBONE[=FILE]",
    help="Start from ImageNet weights on this machine, or from those in a file.",
)
@click.option("--rounds", type=click.IntRange(0), default=0, help="Passes over the images.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--label-set", default="", help="Give each group's images a label of this set.")
@click.option("--label", "names", multiple=True, metavar="N=LABEL", help="Only group N, LABEL.")
@click.option("--forget", is_flag=True, help="Only delete the groupings the project keeps.")
@click.option(
    "--surest", type=click.FloatRange(0, 1), default=1.0, help="Label this share of each group."
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
    """Group all images by what they look like, with a network that learns the groups.

    Stop it with Ctrl+C and go on with the same command. Done, the same command with --label-set
    labels: as one edit, "group 1" … unless --label says otherwise.
    """
    if run and start:
        raise click.UsageError("Give either --run or --start.")
    if names and not label_set:
        raise click.UsageError("Say with --label-set which labels these are.")
    with opened(project) as session:
        if forget:
            gone = forget_clusterings(session)
            out.say(f"{gone} groupings deleted; the labels made of them stay")
            return {"deleted": gone}
        source = feature_source(session, f"run:{find_run(session, run).id}" if run else start)
        order = cluster_request(source, method, k, rounds, seed)
        made = carry_out(cluster_task(session, source, order))
        clusters = session.clusterings.read(made.id)
        labelled = None
        if label_set:
            every = {at: f"group {at + 1}" for at, size in enumerate(made.sizes) if size}
            named = _named(names) or every
            labelled = label_clusters(session, clusters, label_set, named, surest)
            out.say(f"{labelled} images labelled in {label_set}\n")
        return _say(out, session, made, clusters, labelled)


def _named(given: tuple[str, ...]) -> dict[int, str]:
    """Clusters from 0 with their labels, of texts such as "3=owl"."""
    found = {}
    for text in given:
        number, mark, label = text.partition("=")
        if not mark or not number.isdigit() or not label:
            raise ValueRefused("label", text, "N=LABEL, N being the number of a group")
        found[int(number) - 1] = label
    return found


def _say(
    out: Output, session: Session, made: Clustering, clusters: Clusters, labelled: int | None
) -> Result:
    groups: list[dict[str, object]] = []
    rows: list[tuple[object, ...]] = []
    for at, size in enumerate(made.sizes):
        sure = clusters.sureness(at)
        surest = [row.path for row in session.images.rows(clusters.members(at)[:SHOWN])]
        groups.append({"group": at + 1, "images": size, "sure": sure, "surest": surest})
        rows.append((at + 1, size, sure, ", ".join(Path(path).name for path in surest)))
    out.say(f"{CLUSTERINGS[made.method].title} from {made.words}")
    out.table(("group", "images", "sure", "the surest of it"), rows)
    found = agreement(session, clusters, "category")
    if found is not None:
        out.say(
            f"\nbeside the category of {found[2]} images: mutual information {found[0]:.3f} "
            f"(normalised), {found[1]:.1%} carry the commonest label of their group"
        )
    return {
        "id": made.id,
        "method": made.method,
        "start": made.words,
        "groups": groups,
        "labelled": labelled,
        "category_nmi": found[0] if found else None,
        "category_purity": found[1] if found else None,
        "file": str(session.clusterings.folder / made.id / "clusters.npz"),
    }
