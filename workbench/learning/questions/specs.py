"""Specs of all methods, penalties and heads, for programs without torch."""

from __future__ import annotations

import sys

import msgspec

from workbench.domain.methods import Spec
from workbench.learning.heads import HEADS
from workbench.learning.methods import METHODS
from workbench.learning.penalties import PENALTIES


def all_specs() -> list[Spec]:
    """All specs: methods, penalties, then heads, each sorted by name."""
    return [
        *(method.spec for method in METHODS.values()),
        *(penalty.spec for penalty in PENALTIES.values()),
        *(head.spec for head in HEADS.values()),
    ]


def main() -> int:
    """Print the specs as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(all_specs()).decode() + "\n")
    return 0
