"""Everything that a recipe can choose by name, for programs that do not load it."""

from __future__ import annotations

import sys

import msgspec

from workbench.domain.methods import Spec
from workbench.learning.heads import HEADS
from workbench.learning.methods import METHODS
from workbench.learning.penalties import PENALTIES


def all_specs() -> list[Spec]:
    """Methods, penalties and heads, each kind by name."""
    kinds = (METHODS.values(), PENALTIES.values(), HEADS.values())
    return [spec for kind in kinds for spec in sorted((k.spec for k in kind), key=lambda s: s.name)]


def main() -> int:
    """Print them as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(all_specs()).decode() + "\n")
    return 0
