"""Draft of a recipe: chosen keys, recommended values for the others, and errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from workbench.domain.advice import NO_ADVICE, TWICE, Advice
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import (
    NO_KEYS,
    PartialRecipe,
    RecipeValues,
    UncheckedKeys,
    check_key,
    partial_recipe,
    whole,
)
from workbench.domain.text import Message


@dataclass(frozen=True)
class Draft:
    """An immutable draft.

    `chosen` has the keys set by the user, `refused` those with an invalid value and its error; all
    others have the values of `advice`, or else the defaults.
    """

    chosen: PartialRecipe = NO_KEYS
    refused: Mapping[str, ValueRefused] = field(default_factory=dict)
    advice: Advice = NO_ADVICE

    @cached_property
    def recipe(self) -> RecipeValues:
        """All keys as in the recipe, ignoring refused values."""
        return (self.advice.values | self.chosen).with_defaults

    @property
    def target(self) -> str:
        """The chosen target; "" if there is none."""
        return self.chosen.with_defaults.target

    def value(self, key: str) -> object:
        """Value of `key` in the recipe, or the refused value."""
        return self.refused[key].value if key in self.refused else getattr(self.recipe, key)

    def suggested(self, key: str) -> object:
        """The recommended value of `key`."""
        return getattr(self.advice.values.with_defaults, key)

    def overridden(self, key: str) -> bool:
        """Whether another value than the recommended one is chosen."""
        set_here = key in self.chosen or key in self.refused
        return set_here and self.value(key) != self.suggested(key)

    @cached_property
    def reasons(self) -> Mapping[str, Message]:
        """Reasons for the recommended values in use, and warnings about chosen ones, by key."""
        return {
            key: text
            for key, text in self.advice.reasons.items()
            if text == TWICE or not self.overridden(key)
        }

    def with_value(self, key: str, value: object) -> Draft:
        """A copy with `key` chosen; a new backbone resets the stage settings."""
        left = self.without(key)
        try:
            checked = check_key(key, value)
        except ValueRefused as error:
            return dataclasses.replace(left, refused={**left.refused, key: error})
        if key == "backbone":
            left = left.on_backbone(checked, changed=checked != self.value(key))
        one: dict[str, Any] = {key: checked}
        return dataclasses.replace(left, chosen=left.chosen | partial_recipe(**one))

    def on_backbone(self, name: str, *, changed: bool) -> Draft:
        """A copy for another backbone, with unsuitable keys reset to recommended."""
        frozen = self.chosen.with_defaults.frozen
        valid = frozen in ("none", "all", *BACKBONES[name].stage_names)
        draft = self if valid else self.without("frozen")
        return draft.without("stages") if changed else draft

    def with_values(self, given: UncheckedKeys) -> Draft:
        """A copy with several keys chosen."""
        draft = self
        for key, value in given.items():
            draft = draft.with_value(key, value)
        return draft

    def without(self, key: str) -> Draft:
        """A copy with `key` reset to recommended."""
        if key in self.chosen:
            return dataclasses.replace(self, chosen=self.chosen.without(key))
        if key in self.refused:
            left = {other: error for other, error in self.refused.items() if other != key}
            return dataclasses.replace(self, refused=left)
        return self

    def advised_by(self, advice: Advice) -> Draft:
        """A copy with other recommendations."""
        return dataclasses.replace(self, advice=advice)

    @cached_property
    def errors(self) -> Mapping[str, ValueRefused]:
        """Errors of chosen keys; empty if a run can be started."""
        found = dict(self.refused)
        left = self.chosen
        while True:
            try:
                whole(self.advice.values | left)
            except ValueRefused as error:
                found[error.key] = error
                if error.key not in left or error.key == "target":
                    return found
                left = left.without(error.key)
            else:
                return found

    @property
    def sound(self) -> PartialRecipe:
        """The chosen keys without errors."""
        return self.chosen.without(*self.errors)

    def partial(self) -> dict[str, object]:
        """The chosen keys, including refused values, for `prepare` and for stored settings."""
        refused = {key: error.value for key, error in self.refused.items()}
        return {**self.chosen.to_builtins(), **refused}
