"""Brings every scene into the registry."""

from __future__ import annotations

from tests.gallery.scenes import (
    annotators,
    explain,
    frame,
    help,
    images,
    imports,
    menus,
    mouths,
    results,
    train,
    train_dialogs,
    views,
)

__all__ = [
    "annotators",
    "explain",
    "frame",
    "help",
    "images",
    "imports",
    "menus",
    "mouths",
    "results",
    "train",
    "train_dialogs",
    "views",
]
