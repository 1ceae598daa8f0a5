"""A transfer from the closest source, step by step, remembered so that it can be resumed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.starts import start_of
from workbench.app.transfer.sources import one_label
from workbench.domain.backbones import DEFAULT_BACKBONE, backbone
from workbench.domain.errors import KnownError
from workbench.domain.recipes import JOINT, complete
from workbench.domain.relatedness import Relatedness
from workbench.domain.runs import WEIGHTS_FILE, RunStatus
from workbench.domain.splits import Part
from workbench.domain.transfers import (
    CANDIDATE_LAYERS,
    SOURCE_LAYERS,
    Transfer,
    TransferRequest,
    elect,
    frozen_stage,
)
from workbench.storage.project import Project

KEY = "transfers"
KEPT = 20  # transfers that a project remembers


def transfers(session: Session) -> list[Transfer]:
    """The transfers that a project remembers, newest first."""
    return msgspec.convert(session.store.settings.get(KEY, []), list[Transfer])


def unfinished_like(session: Session, asked: TransferRequest) -> Transfer | None:
    """The transfer that was asked for likewise and is not done, None where there is none."""
    return next((t for t in transfers(session) if t.asked == asked and not done(t)), None)


def newest_of(session: Session, asked: TransferRequest) -> Transfer | None:
    """The newest transfer to the same labels from the same sources, whatever its settings."""
    fits = (asked.label_set, asked.sources)
    return next(
        (t for t in transfers(session) if (t.asked.label_set, t.asked.sources) == fits), None
    )


def latest(session: Session, transfer: Transfer) -> Transfer:
    """A transfer as the project remembers it now."""
    return next((one for one in transfers(session) if one.made == transfer.made), transfer)


def done(transfer: Transfer) -> bool:
    """Whether nothing is left to do."""
    return bool(transfer.winner) and bool(transfer.single or not transfer.asked.compare_views)


def keep(session: Session, transfer: Transfer) -> Transfer:
    """Remember how far a transfer is, in place of what was known of it."""
    rest: list[Any] = [one for one in transfers(session) if one.made != transfer.made]
    stored = [msgspec.to_builtins(one) for one in (transfer, *rest)][:KEPT]
    session.store.settings.put(KEY, stored)
    return transfer


OURS = ("target", "frozen", "start")  # keys that a transfer sets itself


def asked_with(
    session: Session,
    keys: Mapping[str, Any],
    sources: Sequence[str],
    views: bool = True,
    compare_views: bool = False,
) -> TransferRequest:
    """A transfer with the recipe keys that a person chose for a training.

    A run of the project to start from is named by the file of its weights, which other projects
    can read; without a start it is ImageNet, or nothing for a backbone that ImageNet did not train.
    """
    name = str(keys.get("backbone", DEFAULT_BACKBONE))
    start = str(keys.get("start", "imagenet" if backbone(name).weights else "none"))
    kind, _, run = start.partition(":")
    if kind == "run":
        start = f"file:{session.store.runs_folder / run / WEIGHTS_FILE}"
    target = str(keys.get("target", "category"))
    return TransferRequest(
        label_set="category" if target == JOINT else target,
        sources=tuple(sources),
        start=start,
        settings={key: value for key, value in keys.items() if key not in (*OURS, "seed")},
        views=views,
        compare_views=compare_views,
        seed=int(keys.get("seed", 0)),
    )


def begin(session: Session, asked: TransferRequest) -> Transfer:
    """The unfinished transfer that was asked for likewise, to go on with, or a new one.

    Raises KnownError where nothing is labelled, where views are to be compared and there are
    none, and for a backbone that is too short; ValueRefused for a setting.
    """
    if known := unfinished_like(session, asked):
        return known
    _check(session.store, asked)
    joint = asked.views and has_views(session.store, asked.label_set)
    if asked.compare_views and not joint:
        raise KnownError(
            "There are no views to compare with: images need a category and at least two views.",
            "Label views on the Views page, or leave the comparison out.",
        )
    return keep(session, Transfer(asked=asked, made=time.time(), joint=joint))


def _check(store: Project, asked: TransferRequest) -> None:
    """Refuse now what would be refused, or be without meaning, when the sources are compared."""
    one_label(store, asked.label_set, "a transfer")
    own = {"target": asked.label_set, "backbone": backbone_of(asked), "start": asked.start}
    for settings in (asked.settings, {**asked.settings, **asked.source_settings}):
        recipe = complete({**settings, **own})
    if asked.start.startswith("file:"):
        start_of(store, recipe)
    for layers in (SOURCE_LAYERS, *CANDIDATE_LAYERS):
        frozen_stage(backbone_of(asked), layers)


def backbone_of(asked: TransferRequest) -> str:
    """The backbone that source and target share."""
    return str(asked.settings.get("backbone", DEFAULT_BACKBONE))


def has_views(store: Project, label_set: str) -> bool:
    """Whether category and view can be learned together."""
    if label_set != "category" or "view" not in store.labels.sets():
        return False
    try:
        facts_of(store, JOINT)
    except KnownError:
        return False
    return True


def choose_source(session: Session, transfer: Transfer, found: Relatedness) -> Transfer:
    """Take the source that the comparison puts first; its name is one of those asked for."""
    best = found.sources[0].name
    return keep(session, msgspec.structs.replace(transfer, ranked=found.sources, source=best))


def vote(session: Session, transfer: Transfer) -> Transfer:
    """Let the candidates' predictions of the held-out images decide. Raises KnownError where there
    is no such image."""
    said = {c.frozen: _predicted(session, c.run) for c in transfer.candidates}
    outcome = elect(said, transfer.asked.seed)
    if not outcome.images:
        raise KnownError(
            "No image of the target is held out, so that nothing can be voted on.",
            "Make a split with a test or validation part.",
        )
    counted = {candidate.name: candidate for candidate in outcome.candidates}
    return keep(
        session,
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


def unfinished(session: Session, run: str) -> bool:
    """Whether a run has still to be trained."""
    return session.store.runs.get(run).status is not RunStatus.FINISHED


def _predicted(session: Session, run: str) -> dict[int, str]:
    """What a run says of the test images, or of those that validate where there are none. A crop's
    number is negative, so that it is none of an image."""
    table = session.store.runs.predictions(run)
    names = session.store.runs.get(run).labels.target.labels
    for part in (Part.TEST, Part.VALIDATION):
        held = table.of_part(part)
        held = held.where(held.truth >= 0)
        if len(held):
            pairs = zip(held.images.tolist(), held.crops.tolist(), strict=True)
            keys = [image if crop < 0 else -1 - crop for image, crop in pairs]
            return dict(zip(keys, (names[at] for at in held.predicted.tolist()), strict=True))
    return {}
