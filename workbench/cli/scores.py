"""A run in words and numbers: the JSON object and the table of `train`, `runs` and `evaluate`."""

from __future__ import annotations

from workbench.app.open_project import OpenProject
from workbench.app.results.results import RunResults, Scope, load_results
from workbench.cli.output import Output
from workbench.domain.errors import KnownError
from workbench.domain.runs import RunRecord
from workbench.domain.splits import PARTS, Part


def described(run: RunRecord) -> dict[str, object]:
    """A run as a JSON object, without its scores."""
    return {
        "run": run.id,
        "name": run.name,
        "status": run.status.value,
        "target": run.target,
        "epochs": run.epochs_done,
        "message": run.message,
    }


def part_scores(results: RunResults) -> dict[str, dict[str, object]]:
    """For each part that has labelled images: top-1, top-5 and calibration error in [0, 1]; exact
    match and mean average precision where labels do not exclude each other."""
    return {part.value: _scores(results, part) for part in results.parts}


def _scores(results: RunResults, part: Part) -> dict[str, object]:
    scores = results.scores(Scope(part))
    made: dict[str, object] = {
        "top1": scores.top1,
        "top5": scores.top5,
        "calibration": scores.calibration,
        "images": scores.images,
    }
    if results.has_view_head:
        made["view_top1"] = results.scores(Scope(part, head="view")).top1
    if results.marked is not None:
        said = results.marked.scores(results.inside(Scope(part)))
        made |= {"exact": said.exact, "mean_ap": said.mean_ap}
    return made


def run_with_scores(op: OpenProject, run: RunRecord) -> dict[str, object]:
    """The JSON object of a run; `parts` is empty while it has no predictions."""
    try:
        parts = part_scores(load_results(op, run.id))
    except KnownError:
        parts = {}
    return described(run) | {"parts": parts}


def say_run(out: Output, result: dict[str, object]) -> None:
    """A run in a line, and the scores of its parts as a table."""
    parts = result["parts"]
    assert isinstance(parts, dict)
    out.say(f"run {result['run']} “{result['name']}”: {result['status']}")
    shown = {"images": "images", "top1": "top-1", "top5": "top-5"}
    if any("exact" in part for part in parts.values()):
        shown |= {"exact": "exact", "mean_ap": "mAP"}
    rows = [(part.value, *(parts[part][key] for key in shown)) for part in PARTS if part in parts]
    if rows:
        out.table(("part", *shown.values()), rows)
