"""Draft of a recipe: chosen keys, recommended values for the others, and errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from workbench.domain.advice import NO_ADVICE, TWICE, Advice
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import ValueRefused
from workbench.domain.recipes import (
    NO_KEYS,
    KeyValue,
    PartialRecipe,
    RecipeValue,
    RecipeValues,
    UncheckedKeys,
    check_key,
    partial_recipe,
    value_of,
    whole,
)
from workbench.domain.text import Message


class RefusedValue(NamedTuple):
    """An invalid value, and why it is invalid."""

    value: RecipeValue
    error: ValueRefused


@dataclass(frozen=True)
class Draft:
    """An immutable draft.

    `chosen` has the keys set by the user, `refused` those with an invalid value; all others have
    the values of `advice`, or else the defaults.
    """

    chosen: PartialRecipe = NO_KEYS
    refused: Mapping[str, RefusedValue] = field(default_factory=dict)
    advice: Advice = NO_ADVICE

    @cached_property
    def recipe(self) -> RecipeValues:
        """All keys as in the recipe, ignoring refused values."""
        return (self.advice.values | self.chosen).with_defaults

    @property
    def target(self) -> str:
        """The chosen target; "" if there is none."""
        return self.chosen.with_defaults.target

    def value(self, key: str) -> RecipeValue:
        """Value of `key` in the recipe, or the refused value."""
        return self.refused[key].value if key in self.refused else value_of(self.recipe, key)

    def suggested(self, key: str) -> RecipeValue:
        """The recommended value of `key`."""
        return value_of(self.advice.values.with_defaults, key)

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

    def with_value(self, key: str, value: RecipeValue) -> Draft:
        """A copy with `key` chosen; a new backbone resets the stage settings."""
        left = self.without(key)
        try:
            checked = check_key(key, value)
        except ValueRefused as error:
            refused = {**left.refused, key: RefusedValue(value, error)}
            return dataclasses.replace(left, refused=refused)
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
            left = {other: value for other, value in self.refused.items() if other != key}
            return dataclasses.replace(self, refused=left)
        return self

    def advised_by(self, advice: Advice) -> Draft:
        """A copy with other recommendations."""
        return dataclasses.replace(self, advice=advice)

    @cached_property
    def errors(self) -> Mapping[str, ValueRefused]:
        """Errors of chosen keys; empty if a run can be started."""
        found = {key: refused.error for key, refused in self.refused.items()}
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

    def partial(self) -> PartialRecipe:
        """The chosen keys. Raises ValueRefused if one has an invalid value."""
        for refused in self.refused.values():
            raise refused.error
        return self.chosen

    def stored(self) -> dict[str, KeyValue]:
        """The chosen keys, including invalid values, as JSON types for stored settings."""
        refused = {key: msgspec.to_builtins(one.value) for key, one in self.refused.items()}
        return {**self.chosen.to_builtins(), **refused}
