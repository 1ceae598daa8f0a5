"""A recipe being made up: what a person chose, what is advised for the rest, and what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.domain.advice import TWICE, Advice
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import KEYS, Recipe, complete

_DEFAULTS: dict[str, object] = {
    key: getattr(Recipe(target="category"), key) for key in KEYS if key != "target"
}


@dataclass(frozen=True)
class Draft:
    """`chosen` holds the keys a person set; everything else follows `advice` and then the recipe's
    own defaults. Drafts are never changed, only replaced."""

    chosen: Mapping[str, object]
    advice: Advice = field(default_factory=lambda: Advice({}, ()))

    def value(self, key: str) -> object:
        """What `key` would be in the recipe now."""
        for values in (self.chosen, self.advice.values, _DEFAULTS):
            if key in values:
                return values[key]
        return ""

    def suggested(self, key: str) -> object:
        """What `key` would be if it had not been chosen."""
        return self.advice.values.get(key, _DEFAULTS.get(key, ""))

    def overridden(self, key: str) -> bool:
        """Whether a person chose another value than the advised one."""
        return key in self.chosen and self.chosen[key] != self.suggested(key)

    def reasons(self) -> dict[str, str]:
        """Why the advised values that hold are advised, by key, and what speaks against a chosen
        one."""
        return {
            key: text
            for key, text in self.advice.reasons
            if text == TWICE or not self.overridden(key)
        }

    def with_value(self, key: str, value: object) -> Draft:
        """This draft with `key` chosen; stages of another backbone do not outlive it."""
        chosen = {**self.chosen, key: value}
        if key == "backbone" and not _has_stage(str(value), chosen.get("frozen")):
            chosen.pop("frozen")
        if key == "backbone" and value != self.value("backbone"):
            chosen.pop("stages", None)
        return dataclasses.replace(self, chosen=chosen)

    def without(self, key: str) -> Draft:
        """This draft with `key` as advised."""
        return dataclasses.replace(
            self, chosen={k: value for k, value in self.chosen.items() if k != key}
        )

    def advised_by(self, advice: Advice) -> Draft:
        """This draft under other advice."""
        return dataclasses.replace(self, advice=advice)

    def errors(self) -> dict[str, ValueRefused]:
        """Every chosen key that is refused, with what is allowed; empty where a run can start."""
        found: dict[str, ValueRefused] = {}
        left = dict(self.chosen)
        while True:
            try:
                complete(left, self.advice.values)
            except ValueRefused as error:
                found[error.key] = error
                if error.key not in left or error.key == "target":
                    return found
                del left[error.key]
            else:
                return found

    def partial(self) -> dict[str, object]:
        """The chosen keys, as the training side takes them."""
        return dict(self.chosen)


def _has_stage(name: str, frozen: object) -> bool:
    known = BACKBONES.get(name)
    return (
        frozen is None
        or frozen in ("none", "all")
        or (known is not None and frozen in known.stage_names)
    )
