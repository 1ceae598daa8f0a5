"""The study of a network's stages as a command."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from workbench.app.transfer.layer_study import layer_studies, layers_task
from workbench.cli.frame import Result, command, opened, project_argument
from workbench.cli.output import Output
from workbench.cli.progress import carry_out
from workbench.domain.errors import KnownError
from workbench.domain.layer_studies import LayerStudy


@command(
    "layers",
    "workbench layers Birds --backbone alexnet --target category\n"
    "workbench layers Birds --start run:20260101-120000-ab12 --json",
)
@project_argument
@click.option("--target", default="category", show_default=True, help="The label set to learn.")
@click.option("--backbone", default="", help="Of a start that does not say it (the one advised).")
@click.option(
    "--start", default="imagenet", show_default=True, help="imagenet, none, file:PATH or run:ID."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--last", is_flag=True, help="Show the last answer again and compute nothing.")
def layers_command(
    out: Output, project: Path, target: str, backbone: str, start: str, seed: int, last: bool
) -> Result:
    """Train a linear head on what every stage of a network makes of the images, and say how its
    accuracy grows with depth."""
    with opened(project) as op:
        if last:
            known = layer_studies(op, target, backbone)
            if not known:
                raise KnownError(
                    f"No stages have been studied for {target} yet.",
                    "Leave --last out to study some now.",
                )
            study = known[0]
        else:
            study = carry_out(layers_task(op, target, start, backbone, seed))
        _say(out, study)
        result: dict[str, object] = msgspec.to_builtins(study)
        return result | {"best": study.found.best.stage}


def _say(out: Output, study: LayerStudy) -> None:
    found = study.found
    out.say(
        f"{study.backbone} from {study.start}: {found.train_images} training images of "
        f"{found.classes} classes; heads are judged on {found.held_out_images} images of the "
        f"{found.held_out} part (chance {found.chance:.4f})\n"
    )
    rows = [(one.stage, one.features, one.train_top1, one.top1) for one in found.layers]
    out.table(("stage", "features", "train top-1", "top-1"), rows)
    out.say(f"\nbest: {found.best.stage}")
