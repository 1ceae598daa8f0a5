"""Per stage: where its weights come from, whether they learn, how fast, and how they are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from workbench.domain.backbones import Backbone
from workbench.domain.errors import ValueRefused

Factor = Annotated[float, Meta(ge=0.0)]


class StageRule(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """What a recipe says of one stage, over the whole recipe's own keys.

    start: "transferred" takes the start weights, "new" draws fresh ones. frozen: None leaves it to
    the recipe's `frozen`. rate and penalty multiply the recipe's learning rate and the strength of
    penalties on this stage.
    """

    start: Literal["transferred", "new"] = "transferred"
    frozen: bool | None = None
    rate: Factor = 1.0
    penalty: Factor = 1.0


Rules = Mapping[str, StageRule]
PLAIN = StageRule()


def check_rules(known: Backbone, frozen: str, rules: Rules) -> None:
    """Raise ValueRefused for a stage that the backbone has not, or that is new and frozen."""
    for name in rules:
        if name not in known.stage_names:
            raise ValueRefused(f"stages.{name}", name, ", ".join(known.stage_names))
    for name in frozen_stages(known, frozen, rules):
        if rules.get(name, PLAIN).start == "new":
            raise ValueRefused(f"stages.{name}.start", "new", "transferred, since it is frozen")


def frozen_stages(known: Backbone, frozen: str, rules: Rules) -> tuple[str, ...]:
    """The stages that stay as they are, by a recipe's `frozen` and its rules."""
    below = set(known.frozen_modules(frozen))
    stay = []
    for stage in known.stages:
        said = rules.get(stage.name, PLAIN).frozen
        if below.issuperset(stage.modules) if said is None else said:
            stay.append(stage.name)
    return tuple(stay)


def modules_of(known: Backbone, names: tuple[str, ...]) -> tuple[str, ...]:
    """The module prefixes of stages, in the order of the backbone."""
    return tuple(m for stage in known.stages if stage.name in names for m in stage.modules)


PRESETS: dict[str, str] = {
    "plain": "Every stage as the settings above say",
    "slower-below": "Each stage learns at 0.7 times the rate of the one above it",
    "held-below": "Penalties hold lower stages more: twice at the input, none at the top",
    "new-top": "The last third of the stages begins anew",
}


def preset(known: Backbone, name: str) -> dict[str, StageRule]:
    """The rules of a preset; raises ValueRefused for an unknown one."""
    if name not in PRESETS:
        raise ValueRefused("preset", name, ", ".join(PRESETS))
    names = known.stage_names
    last = len(names) - 1
    if name == "slower-below":
        return {s: StageRule(rate=round(0.7 ** (last - at), 3)) for at, s in enumerate(names[:-1])}
    if name == "held-below":
        return {
            s: StageRule(penalty=round(2 * (last - at) / max(1, last), 2))
            for at, s in enumerate(names)
        }
    if name == "new-top":
        top = names[len(names) - max(1, len(names) // 3) :]
        return {s: StageRule(start="new", frozen=False) for s in top}
    return {}
