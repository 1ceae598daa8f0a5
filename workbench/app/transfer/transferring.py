"""State of transfers from the most related source, stored so that they can be resumed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from workbench.app.session import Session
from workbench.app.training.data_facts import facts_of
from workbench.app.training.starts import start_of
from workbench.app.transfer.sources import one_label, positions_of, refuse_target
from workbench.domain.backbones import DEFAULT_BACKBONE, backbone
from workbench.domain.errors import KnownError
from workbench.domain.recipes import JOINT, PartialRecipe, complete
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
KEPT = 20  # transfers stored in a project


def transfers(session: Session) -> list[Transfer]:
    """Stored transfers of a project, newest first."""
    return msgspec.convert(session.store.settings.get(KEY, []), list[Transfer])


def unfinished_like(session: Session, request: TransferRequest) -> Transfer | None:
    """An unfinished transfer with the same request; None if there is none."""
    return next((t for t in transfers(session) if t.request == request and not done(t)), None)


def newest_of(session: Session, request: TransferRequest) -> Transfer | None:
    """The newest transfer with the same labels and sources, whatever its settings."""
    fits = (request.label_set, request.sources)
    return next(
        (t for t in transfers(session) if (t.request.label_set, t.request.sources) == fits), None
    )


def latest(session: Session, transfer: Transfer) -> Transfer:
    """The stored state of a transfer."""
    return next((one for one in transfers(session) if one.made == transfer.made), transfer)


def done(transfer: Transfer) -> bool:
    """Whether a transfer is finished."""
    return bool(transfer.winner) and bool(transfer.single or not transfer.request.compare_views)


def keep(session: Session, transfer: Transfer) -> Transfer:
    """Store the state of a transfer, replacing the previous one; return it."""
    rest: list[Any] = [one for one in transfers(session) if one.made != transfer.made]
    stored = [msgspec.to_builtins(one) for one in (transfer, *rest)][:KEPT]
    session.store.settings.put(KEY, stored)
    return transfer


OWN_KEYS = ("target", "frozen", "start")  # recipe keys set by the transfer


def transfer_request(
    session: Session,
    keys: PartialRecipe,
    sources: Sequence[str],
    views: bool = True,
    compare_views: bool = False,
) -> TransferRequest:
    """Request for a transfer with the recipe keys of a training.

    A start from a run becomes one from its weights file, which other projects can read. The default
    start is ImageNet, or random weights for a backbone without ImageNet weights.
    """
    held = keys.with_defaults
    start = held.start
    if "start" not in keys and not backbone(held.backbone).weights:
        start = "none"
    kind, _, run = start.partition(":")
    if kind == "run":
        start = f"file:{session.store.runs_folder / run / WEIGHTS_FILE}"
    target = held.target or "category"
    return TransferRequest(
        label_set="category" if target == JOINT else target,
        sources=tuple(sources),
        start=start,
        settings=keys.without(*OWN_KEYS, "seed").to_builtins(),
        views=views,
        compare_views=compare_views,
        seed=held.seed,
    )


def begin(session: Session, request: TransferRequest) -> Transfer:
    """An unfinished transfer with the same request, or a new one.

    Raises KnownError if a source is the target itself, too few images are labelled, there are no
    views to compare, or the backbone has too few stages; ValueRefused for an invalid setting.
    """
    session.check_writable()
    if known := unfinished_like(session, request):
        return known
    _check(session.store, request)
    joint = request.views and has_views(session.store, request.label_set)
    if request.compare_views and not joint:
        raise KnownError(
            "Views cannot be compared: images need a category and at least two different views.",
            "Label views on the Views page, or transfer without this comparison.",
        )
    return keep(session, Transfer(request=request, made=time.time(), joint=joint))


def _check(store: Project, request: TransferRequest) -> None:
    """Raise errors now that would occur after the comparison of sources."""
    one_label(store, request.label_set)
    refuse_target(store, positions_of(request.sources), request.label_set)
    own = {"target": request.label_set, "backbone": backbone_of(request), "start": request.start}
    for settings in (request.settings, {**request.settings, **request.source_settings}):
        recipe = complete({**settings, **own})
    if request.start.startswith("file:"):
        start_of(store, recipe)
    for layers in (SOURCE_LAYERS, *CANDIDATE_LAYERS):
        frozen_stage(backbone_of(request), layers)


def backbone_of(request: TransferRequest) -> str:
    """Backbone of source and target."""
    return str(request.settings.get("backbone", DEFAULT_BACKBONE))


def has_views(store: Project, label_set: str) -> bool:
    """Whether category and view can be trained together."""
    if label_set != "category" or "view" not in store.labels.sets():
        return False
    try:
        facts_of(store, JOINT)
    except KnownError:
        return False
    return True


def choose_source(session: Session, transfer: Transfer, found: Relatedness) -> Transfer:
    """Store the ranking and select the most related source."""
    best = found.sources[0].name
    return keep(session, msgspec.structs.replace(transfer, ranked=found.sources, source=best))


def vote(session: Session, transfer: Transfer) -> Transfer:
    """Elect the winner by the candidates' predictions of held-out images. Raises KnownError if
    there are none."""
    predictions = {c.frozen: _predicted(session, c.run) for c in transfer.candidates}
    outcome = elect(predictions, transfer.request.seed)
    if not outcome.images:
        raise KnownError(
            "The vote needs held-out images of the target, and there are none.",
            "Create a split with a test or validation part.",
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
    """Whether a run is not finished."""
    return session.store.runs.get(run).status is not RunStatus.FINISHED


def _predicted(session: Session, run: str) -> dict[int, str]:
    """A run's predictions of the test images, else of the validation images.

    Keys are image ids, or for crops −1 − crop id.
    """
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
