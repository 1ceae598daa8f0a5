"""Settings of a recipe for single stages of its backbone, and presets of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workbench.domain.backbones import Backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.registry import Registry
from workbench.domain.text import Message, mark

Factor = Annotated[float, Meta(ge=0.0)]


class StageRule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Settings of a recipe for one stage, overriding those for all stages.

    start: "transferred" loads the start weights, "new" draws random ones. frozen: None follows the
    recipe's `frozen`. rate and penalty multiply the learning rate and the penalty strength of this
    stage.
    """

    start: Literal["transferred", "new"] = "transferred"
    frozen: bool | None = None
    rate: Factor = 1.0
    penalty: Factor = 1.0


Rules = Mapping[str, StageRule]
PLAIN = StageRule()


def check_rules(known: Backbone, frozen: str, rules: Rules) -> None:
    """Raise ValueRefused for an unknown stage, or one that is both new and frozen."""
    for name in rules:
        if name not in known.stage_names:
            sentence = Message("{backbone} has no stage “{name}”.", backbone=known.title, name=name)
            raise ValueRefused(f"stages.{name}", name, ", ".join(known.stage_names), sentence)
    for name in frozen_stages(known, frozen, rules):
        if rules.get(name, PLAIN).start == "new":
            allowed = Message("transferred, as the stage is frozen")
            raise ValueRefused(f"stages.{name}.start", "new", allowed)


def frozen_stages(known: Backbone, frozen: str, rules: Rules) -> tuple[str, ...]:
    """Names of the frozen stages, from a recipe's `frozen` and its rules for single stages."""
    below = set(known.frozen_modules(frozen))
    found = []
    for stage in known.stages:
        own = rules.get(stage.name, PLAIN).frozen
        if below.issuperset(stage.modules) if own is None else own:
            found.append(stage.name)
    return tuple(found)


@dataclass(frozen=True)
class Preset:
    """Rules for the stages of any backbone. `title` and `words` (what they do) are marked texts;
    `rules` makes them from the names of the stages, in forward order."""

    name: str
    title: str
    words: str
    rules: Callable[[tuple[str, ...]], dict[str, StageRule]]


def _slower_below(stages: tuple[str, ...]) -> dict[str, StageRule]:
    last = len(stages) - 1
    return {
        name: StageRule(rate=round(0.7 ** (last - at), 3)) for at, name in enumerate(stages[:-1])
    }


def _held_below(stages: tuple[str, ...]) -> dict[str, StageRule]:
    last = len(stages) - 1
    factors = (round(2 * (last - at) / max(1, last), 2) for at in range(len(stages)))
    return {name: StageRule(penalty=each) for name, each in zip(stages, factors, strict=True)}


def _new_top(stages: tuple[str, ...]) -> dict[str, StageRule]:
    top = stages[len(stages) - max(1, len(stages) // 3) :]
    return {name: StageRule(start="new", frozen=False) for name in top}


PRESETS: Registry[Preset] = Registry("preset")
PRESETS.register(
    Preset(
        "plain",
        mark("All stages alike"),
        mark("All stages use the settings above"),
        lambda _stages: {},
    )
)
PRESETS.register(
    Preset(
        "slower-below",
        mark("Earlier stages slower"),
        mark("Each stage learns at 0.7 × the rate of the stage above it"),
        _slower_below,
    )
)
PRESETS.register(
    Preset(
        "held-below",
        mark("Earlier stages penalised more"),
        mark("Penalties are stronger on lower stages: twice at the input, none at the top"),
        _held_below,
    )
)
PRESETS.register(
    Preset(
        "new-top",
        mark("Top third random"),
        mark("The last third of the stages starts from random weights"),
        _new_top,
    )
)


def preset(known: Backbone, name: str) -> dict[str, StageRule]:
    """Return the rules of a preset for a backbone. Raises ValueRefused for an unknown one."""
    return PRESETS[name].rules(known.stage_names)
