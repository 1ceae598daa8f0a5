"""A transfer from the closest source, step by step, so that it can be gone on with at any of them.

Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets": the source is learned with
the first layers kept from its start; candidates that keep 4, 5 and 6 layers of the source learn the
target; the one that agrees most often with the majority of them is taken.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from workbench.app.open_project import OpenProject
from workbench.app.preparing import DEFAULT_SPLIT, prepare, start_of
from workbench.app.samples import collect
from workbench.app.sources import one_label
from workbench.app.splitting import split
from workbench.app.transfer_book import keep, unfinished_like
from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.recipes import JOINT, complete
from workbench.domain.relatedness import Relatedness
from workbench.domain.reports import Started, decode_report
from workbench.domain.runs import REPORTS_FILE, WEIGHTS_FILE, RunStatus
from workbench.domain.splits import Part
from workbench.domain.transfers import (
    CANDIDATE_LAYERS,
    RATE,
    SOURCE_LAYERS,
    TIE,
    VIEWS,
    Asked,
    CandidateRun,
    Transfer,
    frozen_stage,
)
from workbench.domain.voting import elect
from workbench.storage.project import Project

DEFAULT_BACKBONE = "squeezenet1_1"
OURS = ("target", "frozen", "start")  # keys that a transfer sets itself


def asked_with(
    op: OpenProject,
    keys: Mapping[str, Any],
    sources: Sequence[str],
    views: bool = True,
    compare_views: bool = False,
) -> Asked:
    """A transfer with the recipe keys that a person chose for a training.

    A run of the project to start from is named by the file of its weights, which other projects
    can read; without a start it is ImageNet, or nothing for a backbone that ImageNet did not train.
    """
    name = str(keys.get("backbone", DEFAULT_BACKBONE))
    start = str(keys.get("start", "imagenet" if backbone(name).weights else "none"))
    kind, _, run = start.partition(":")
    if kind == "run":
        start = f"file:{op.store.runs_folder / run / WEIGHTS_FILE}"
    target = str(keys.get("target", "category"))
    return Asked(
        label_set="category" if target == JOINT else target,
        sources=tuple(sources),
        start=start,
        settings={key: value for key, value in keys.items() if key not in (*OURS, "seed")},
        views=views,
        compare_views=compare_views,
        seed=int(keys.get("seed", 0)),
    )


def begin(op: OpenProject, asked: Asked) -> Transfer:
    """The unfinished transfer that was asked for likewise, to go on with, or a new one.

    Images of the target that are to judge it are set aside first: a split is made where there is
    none. Raises KnownError where nothing is labelled, where views are to be compared and there are
    none, and for a backbone that is too short; ValueRefused for a setting.
    """
    if known := unfinished_like(op, asked):
        return known
    _check(op.store, asked)
    joint = asked.views and has_views(op.store, asked.label_set)
    if asked.compare_views and not joint:
        raise KnownError(
            "There are no views to compare with: images need a category and at least two views.",
            "Label views on the Views page, or leave the comparison out.",
        )
    if op.store.splits.current() is None:
        split(op, DEFAULT_SPLIT, ("category", "view") if joint else (asked.label_set,))
    return keep(op, Transfer(asked=asked, made=time.time(), joint=joint))


def _check(store: Project, asked: Asked) -> None:
    """Refuse now what would be refused, or be without meaning, when the sources are compared."""
    one_label(store, asked.label_set, "a transfer")
    own = {"target": asked.label_set, "backbone": backbone_of(asked), "start": asked.start}
    for settings in (asked.settings, {**asked.settings, **asked.source_settings}):
        recipe = complete({**settings, **own}, {})
    if asked.start.startswith("file:"):
        start_of(store, recipe)
    for layers in (SOURCE_LAYERS, *CANDIDATE_LAYERS):
        frozen_stage(backbone_of(asked), layers)


def backbone_of(asked: Asked) -> str:
    """The backbone that source and target share."""
    return str(asked.settings.get("backbone", DEFAULT_BACKBONE))


def has_views(store: Project, label_set: str) -> bool:
    """Whether category and view can be learned together."""
    if label_set != "category" or "view" not in store.labels.sets():
        return False
    try:
        collect(store, JOINT)
    except KnownError:
        return False
    return True


def candidates_made(op: OpenProject, transfer: Transfer) -> bool:
    """Whether every candidate has its run; the source is not needed any more then."""
    known = {c.layers for c in transfer.candidates if _is_there(op.store, c.run)}
    return known == set(CANDIDATE_LAYERS)


def choose_source(op: OpenProject, transfer: Transfer, found: Relatedness) -> Transfer:
    """Take the source that the comparison puts first; its name is one of those asked for."""
    best = found.sources[0].name
    return keep(op, msgspec.structs.replace(transfer, ranked=found.sources, source=best))


def prepare_source(
    op: OpenProject, source: OpenProject, label_set: str, transfer: Transfer
) -> Transfer:
    """Make the run that learns the source, in the source's own project, unless there is one."""
    if transfer.source_run and _is_there(source.store, transfer.source_run):
        return transfer
    asked = transfer.asked
    name = backbone_of(asked)
    recipe = {
        **_usual(asked),
        **asked.settings,
        **asked.source_settings,
        **_target(label_set, asked.views and has_views(source.store, label_set), asked),
        "start": asked.start,
        "frozen": frozen_stage(name, SOURCE_LAYERS) if asked.start != "none" else "none",
    }
    made = prepare(source, recipe, f"source for {op.store.folder.stem}")
    return keep(op, msgspec.structs.replace(transfer, source_run=made.id))


def prepare_candidates(op: OpenProject, source: Path, transfer: Transfer) -> Transfer:
    """Make the candidates' runs in the target's project, unless there are. `source` is the folder
    of the source's project."""
    asked = transfer.asked
    known = {c.layers: c for c in transfer.candidates if _is_there(op.store, c.run)}
    target = _target(asked.label_set, transfer.joint, asked)
    for layers in CANDIDATE_LAYERS:
        if layers not in known:
            stage = frozen_stage(backbone_of(asked), layers)
            run = _candidate(op, source, transfer, stage, target)
            known[layers] = CandidateRun(layers=layers, frozen=stage, run=run)
    made = tuple(known[layers] for layers in CANDIDATE_LAYERS)
    return keep(op, msgspec.structs.replace(transfer, candidates=made))


def prepare_single(op: OpenProject, source: Path, transfer: Transfer) -> Transfer:
    """Make the run that is as the winner's but for the views, unless there is one."""
    if transfer.single and _is_there(op.store, transfer.single):
        return transfer
    target = {"target": transfer.asked.label_set}
    run = _candidate(op, source, transfer, transfer.winner, target, " without views")
    return keep(op, msgspec.structs.replace(transfer, single=run))


def vote(op: OpenProject, transfer: Transfer) -> Transfer:
    """Let the candidates' predictions of the held-out images decide. Raises KnownError where there
    is no such image."""
    said = {c.frozen: _predicted(op, c.run) for c in transfer.candidates}
    outcome = elect(said, transfer.asked.seed)
    if not outcome.images:
        raise KnownError(
            "No image of the target is held out, so that nothing can be voted on.",
            "Make a split with a test or validation part.",
        )
    counted = {candidate.name: candidate for candidate in outcome.candidates}
    return keep(
        op,
        msgspec.structs.replace(
            transfer,
            candidates=tuple(
                msgspec.structs.replace(
                    c, votes=counted[c.frozen].votes, alone=counted[c.frozen].alone
                )
                for c in transfer.candidates
            ),
            winner=outcome.winner,
            drawn=outcome.drawn,
            voted=outcome.images,
            disputed=len(outcome.disputed),
        ),
    )


def unfinished(op: OpenProject, run: str) -> bool:
    """Whether a run has still to be trained."""
    return op.store.runs.get(run).status is not RunStatus.FINISHED


def _candidate(
    op: OpenProject,
    source: Path,
    transfer: Transfer,
    stage: str,
    target: Mapping[str, object],
    note: str = "",
) -> str:
    learned = source / "runs" / transfer.source_run
    weights = learned / WEIGHTS_FILE
    recipe = {
        **_usual(transfer.asked),
        **_shared(transfer.asked, learned),
        **transfer.asked.settings,
        **target,
        "start": f"file:{weights}",
        "frozen": stage,
    }
    title = backbone(backbone_of(transfer.asked)).title
    return prepare(op, recipe, f"{title} kept up to {stage}{note}").id


def _usual(asked: Asked) -> dict[str, object]:
    """What a transfer sets where nobody says otherwise; from scratch the rate is that advised."""
    usual: dict[str, object] = {"backbone": backbone_of(asked), "seed": asked.seed}
    return usual if asked.start == "none" else usual | {"learning_rate": RATE}


def _shared(asked: Asked, learned: Path) -> dict[str, object]:
    """What lets candidates share the maps of the layers that all of them keep: so many views of
    each image, the same in all, and the precision in which the source was `learned`, since maps of
    another one are others."""
    shared: dict[str, object] = {"cache": min(VIEWS, int(str(asked.settings.get("epochs", VIEWS))))}
    with contextlib.suppress(OSError, msgspec.DecodeError):
        lines = (learned / REPORTS_FILE).read_bytes().splitlines()
        said = [report for report in map(decode_report, lines) if isinstance(report, Started)]
        shared |= {"precision": said[-1].precision} if said else {}
    return shared


def _target(label_set: str, joint: bool, asked: Asked) -> dict[str, object]:
    """The recipe's target; where views help to learn it, their classifiers are tied."""
    if not joint:
        return {"target": label_set}
    return {"target": JOINT, "tie": asked.settings.get("tie", TIE)}


def _is_there(store: Project, run: str) -> bool:
    """Whether a run can be used: one that was removed or stopped for good is made anew."""
    return any(r.id == run and r.status is not RunStatus.STOPPED for r in store.runs.all())


def _predicted(op: OpenProject, run: str) -> dict[int, str]:
    """What a run says of the test images, or of those that validate where there are none. A crop's
    number is negative, so that it is none of an image."""
    table = op.store.runs.predictions(run)
    names = op.store.runs.get(run).labels.target.labels
    for part in (Part.TEST, Part.VALIDATION):
        held = table.of_part(part)
        held = held.where(held.truth >= 0)
        if len(held):
            pairs = zip(held.images.tolist(), held.crops.tolist(), strict=True)
            keys = [image if crop < 0 else -1 - crop for image, crop in pairs]
            return dict(zip(keys, (names[at] for at in held.predicted.tolist()), strict=True))
    return {}
