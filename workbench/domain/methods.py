"""Specifications of methods, penalties and heads, available without loading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message
from workbench.domain.values import allowed_text, checked

ONE_LABEL = "one label"  # requirement of a method: mutually exclusive labels

WITH_HEAD = "head "  # prefix of a head's name in the requirements of a method or penalty
NEEDS = {
    "start": "start weights",
    "source head": "start weights with their own classifier",
    "views": "view labels",
    "unlabelled": "images without a label",
    "normalisation": "a backbone with batch normalisation",
    ONE_LABEL: "a label set whose labels exclude each other",
}  # requirements of a method, head or penalty, and their descriptions

NO_PENALTY = "none"

Value = bool | int | float | str
Options = Mapping[str, Mapping[str, Value]]  # part of a recipe: spec name -> parameter -> value


def need_text(need: str) -> str:
    """The description of a requirement. Raises KeyError for an unknown one."""
    return f"the {need.removeprefix(WITH_HEAD)} head" if need.startswith(WITH_HEAD) else NEEDS[need]


class Parameter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number, switch or choice that a recipe can set as `options.SPEC.NAME`.

    Its type is that of `default`; `low` and `high` are inclusive bounds of a number, `choices` the
    allowed texts.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, owner: str, value: Value) -> Value:
        """Convert `value` to the parameter's type. Raises ValueRefused naming `owner`.`name`."""
        found: Value = checked(f"options.{owner}.{self.name}", value, self._type, self.allowed())
        return found

    def allowed(self) -> str:
        """Description of the allowed values."""
        return allowed_text(self._type)

    @property
    def _type(self) -> Any:
        """Type of the value, with the parameter's choices or bounds."""
        if self.choices:
            return Literal[self.choices]
        kind = type(self.default)
        if kind not in (int, float):
            return kind
        low, high = (None if bound is None else kind(bound) for bound in (self.low, self.high))
        return Annotated[kind, Meta(ge=low, le=high)]


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that a recipe or a request selects by name.

    kind: "method", "penalty", "head" or "clustering". description: one sentence. source: the paper.
    needs: requirements, each one of "start" (start weights), "source head" (start weights with
    their own classifier), "views" (view labels), "unlabelled" (images without a label),
    "normalisation" (a backbone with batch normalisation), "one label" (mutually exclusive labels),
    "head NAME" (that head).
    """

    name: str
    kind: str
    title: str
    description: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()

    def options(self, given: Options) -> dict[str, Value]:
        """Values of all parameters, from `given[self.name]` or the defaults.

        Raises ValueRefused for an unknown parameter or a value that is not allowed.
        """
        own = given.get(self.name, {})
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in own:
            if name not in known:
                key = f"options.{self.name}.{name}"
                none = Message("none, as {name} has no parameters", name=self.name)
                sentence = Message("There is no parameter {key}.", key=key)
                raise ValueRefused(key, own[name], ", ".join(known) or none, sentence)
        return {
            name: parameter.check(self.name, own.get(name, parameter.default))
            for name, parameter in known.items()
        }


def penalty_names(value: str) -> tuple[str, ...]:
    """Split a recipe's `penalty` ("none", a name, or names joined by "+") into unique names."""
    return () if value == NO_PENALTY else tuple(dict.fromkeys(value.split("+")))


def join_penalties(names: Sequence[str]) -> str:
    """Write penalties as a recipe's `penalty`; the inverse of `penalty_names`."""
    return "+".join(names) or NO_PENALTY
