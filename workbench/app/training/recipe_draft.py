"""A recipe being made up: what a person chose, what is advised for the rest, and what is wrong."""

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
    """`chosen` holds the keys a person set, `refused` those whose value is not allowed, with that
    value; everything else follows `advice` and then the recipe's own defaults. Drafts are never
    changed, only replaced."""

    chosen: PartialRecipe = NO_KEYS
    refused: Mapping[str, ValueRefused] = field(default_factory=dict)
    advice: Advice = NO_ADVICE

    @cached_property
    def recipe(self) -> RecipeValues:
        """Every key as it would be in the recipe; a refused value does not count."""
        return (self.advice.values | self.chosen).with_defaults

    @property
    def target(self) -> str:
        """What is to be learned, "" where nothing is chosen."""
        return self.chosen.with_defaults.target

    def value(self, key: str) -> object:
        """What `key` would be in the recipe now, or the refused value."""
        return self.refused[key].value if key in self.refused else getattr(self.recipe, key)

    def suggested(self, key: str) -> object:
        """What `key` would be if it had not been chosen."""
        return getattr(self.advice.values.with_defaults, key)

    def overridden(self, key: str) -> bool:
        """Whether a person chose another value than the advised one."""
        set_here = key in self.chosen or key in self.refused
        return set_here and self.value(key) != self.suggested(key)

    @cached_property
    def reasons(self) -> Mapping[str, Message]:
        """Why the advised values that hold are advised, by key, and what speaks against a chosen
        one."""
        return {
            key: text
            for key, text in self.advice.reasons.items()
            if text == TWICE or not self.overridden(key)
        }

    def with_value(self, key: str, value: object) -> Draft:
        """This draft with `key` chosen; stages of another backbone do not outlive it."""
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
        """The draft for another backbone: what does not fit it goes back to the advice."""
        frozen = self.chosen.with_defaults.frozen
        kept = frozen in ("none", "all", *BACKBONES[name].stage_names)
        draft = self if kept else self.without("frozen")
        return draft.without("stages") if changed else draft

    def with_values(self, given: UncheckedKeys) -> Draft:
        """This draft with several keys chosen."""
        draft = self
        for key, value in given.items():
            draft = draft.with_value(key, value)
        return draft

    def without(self, key: str) -> Draft:
        """This draft with `key` as advised."""
        if key in self.chosen:
            return dataclasses.replace(self, chosen=self.chosen.without(key))
        if key in self.refused:
            left = {other: error for other, error in self.refused.items() if other != key}
            return dataclasses.replace(self, refused=left)
        return self

    def advised_by(self, advice: Advice) -> Draft:
        """This draft under other advice."""
        return dataclasses.replace(self, advice=advice)

    @cached_property
    def errors(self) -> Mapping[str, ValueRefused]:
        """Every chosen key that is refused, with what is allowed; empty where a run can start."""
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
        """The chosen keys that are not in error."""
        return self.chosen.without(*self.errors)

    def partial(self) -> dict[str, object]:
        """The chosen keys as the training side takes them and settings store them, refused values
        too."""
        refused = {key: error.value for key, error in self.refused.items()}
        return {**self.chosen.to_builtins(), **refused}
