"""Brings every scene into the registry."""

from __future__ import annotations

from tests.gallery.scenes import (
    explain,
    frame,
    help,
    images,
    menus,
    mouths,
    results,
    train,
    train_dialogs,
    views,
)

__all__ = [
    "explain",
    "frame",
    "help",
    "images",
    "menus",
    "mouths",
    "results",
    "train",
    "train_dialogs",
    "views",
]
