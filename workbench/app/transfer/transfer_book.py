"""The transfers that a project remembers, each as far as it is."""

from __future__ import annotations

from typing import Any

import msgspec

from workbench.app.open_project import OpenProject
from workbench.domain.transfers import Asked, Transfer

KEY = "transfers"
KEPT = 20  # transfers that a project remembers


def transfers(op: OpenProject) -> list[Transfer]:
    """The transfers that a project remembers, newest first."""
    return msgspec.convert(op.store.settings.get(KEY, []), list[Transfer])


def unfinished_like(op: OpenProject, asked: Asked) -> Transfer | None:
    """The transfer that was asked for likewise and is not done, None where there is none."""
    return next((t for t in transfers(op) if t.asked == asked and not done(t)), None)


def newest_of(op: OpenProject, asked: Asked) -> Transfer | None:
    """The newest transfer to the same labels from the same sources, whatever its settings."""
    fits = (asked.label_set, asked.sources)
    return next((t for t in transfers(op) if (t.asked.label_set, t.asked.sources) == fits), None)


def latest(op: OpenProject, transfer: Transfer) -> Transfer:
    """A transfer as the project remembers it now."""
    return next((one for one in transfers(op) if one.made == transfer.made), transfer)


def done(transfer: Transfer) -> bool:
    """Whether nothing is left to do."""
    return bool(transfer.winner) and bool(transfer.single or not transfer.asked.compare_views)


def keep(op: OpenProject, transfer: Transfer) -> Transfer:
    """Remember how far a transfer is, in place of what was known of it."""
    rest: list[Any] = [one for one in transfers(op) if one.made != transfer.made]
    stored = [msgspec.to_builtins(one) for one in (transfer, *rest)][:KEPT]
    op.store.settings.put(KEY, stored)
    return transfer
