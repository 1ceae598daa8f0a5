"""Annotations: who gave which label to what, when, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Author(StrEnum):
    """Who gave a label: a person, a file that was imported, or a trained model."""

    HUMAN = "human"
    IMPORT = "import"
    MODEL = "model"


@dataclass(frozen=True)
class Annotation:
    """One label given to one image (`crop` None) or to one crop of it.

    `made_at` and `ended_at` are seconds since the epoch; `ended_at` is None while the label stands.
    `confidence` is 1.0 for people and a softmax score in [0, 1] for models.
    """

    id: int
    image: int
    crop: int | None
    label_set: str
    label: str
    author: Author
    confidence: float
    made_at: float
    ended_at: float | None = None
