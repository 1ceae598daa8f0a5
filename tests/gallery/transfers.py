"""A transfer that has been carried out, in figures: a real one would take half an hour."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.gallery.clock import DAY
from workbench.app.session import Session
from workbench.app.transfer.sources import written_source
from workbench.app.transfer.transferring import transfer_request
from workbench.domain.recipes import partial_recipe
from workbench.domain.relatedness import SourceRelatedness, number_names
from workbench.domain.runs import RunRecord
from workbench.domain.transfers import CANDIDATE_LAYERS, CandidateRun, Transfer, frozen_stage

BACKBONE = "squeezenet1_1"
NAMES = ("Garden birds of the northern hemisphere, all seasons", "水鸟与涉禽")


def compared(name: str, doa: float) -> SourceRelatedness:
    """One source beside the target, with all of its numbers."""
    count = len(number_names(views=True))
    return SourceRelatedness(
        name=name,
        doa=doa,
        doas=(doa - 0.1, doa, doa + 0.2),
        similarity=0.54 + 0.02 * doa,
        coverage=0.61,
        agreeing=5,
        pairs=9,
        numbers=tuple(np.linspace(0.05, 1.9, count).round(3).tolist()),
        images=240,
    )


def transferred(session: Session, beside: Path, runs: Sequence[RunRecord]) -> Transfer:
    """A transfer whose candidates are `runs` by turns; the first of three was elected."""
    sources = [written_source(beside / f"{name}.workbench", "category") for name in NAMES]
    sources.append(written_source(beside / session.store.folder.name, "view"))
    names = (*NAMES, f"{session.store.name}#view")
    candidates = tuple(
        CandidateRun(
            layers=layers,
            frozen=frozen_stage(BACKBONE, layers),
            run=runs[at % len(runs)].id,
            votes=22 - 2 * at,
            alone=at,
        )
        for at, layers in enumerate(CANDIDATE_LAYERS)
    )
    return Transfer(
        request=transfer_request(
            session, partial_recipe(target="category", backbone=BACKBONE), sources
        ),
        made=DAY,
        ranked=tuple(compared(name, -5.1 - 0.7 * at) for at, name in enumerate(names)),
        source=names[0],
        source_run="",
        candidates=candidates,
        winner=candidates[0].frozen,
        voted=29,
        disputed=8,
    )
