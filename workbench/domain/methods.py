"""What is known of a method, penalty or head without loading it: its parameters and source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from workbench.domain.errors import ValueRefused
from workbench.domain.values import allowed_words, checked

ONE_LABEL = "one label"  # something that a method may need: labels that exclude each other

WITH_HEAD = "head "  # before the name of a head that a method or penalty needs

NO_PENALTY = "none"

Value = bool | int | float | str
Options = Mapping[str, Mapping[str, Value]]  # part of a recipe: spec name -> parameter -> value


class Parameter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A number, switch or choice that a recipe may set as `options.SPEC.NAME`.

    Its type is that of `default`; `low` and `high` are inclusive bounds of a number, `choices` the
    only texts allowed.
    """

    name: str
    default: Value
    words: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, owner: str, value: object) -> Value:
        """`value` in the parameter's type; raises ValueRefused naming `owner`.`name`."""
        found: Value = checked(f"options.{owner}.{self.name}", value, self._type, self.allowed())
        return found

    def allowed(self) -> str:
        """What it takes, in words for a person."""
        return allowed_words(self._type)

    @property
    def _type(self) -> Any:
        """The type of a value, with the parameter's choices or bounds."""
        if self.choices:
            return Literal[self.choices]
        kind = type(self.default)
        if kind not in (int, float):
            return kind
        low, high = (None if bound is None else kind(bound) for bound in (self.low, self.high))
        return Annotated[kind, Meta(ge=low, le=high)]


class Spec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a recipe or a request can choose by name.

    kind: "method", "penalty", "head" or "clustering". words: one sentence for a person. source: the
    paper. needs: what must be there, each of "start" (start weights), "source head" (start weights
    with their own classifier), "views" (view labels), "unlabelled" (images without a label),
    "normalisation" (a backbone with batch normalisation), "one label" (labels that exclude each
    other), "head NAME" (that head).
    """

    name: str
    kind: str
    title: str
    words: str
    source: str
    parameters: tuple[Parameter, ...] = ()
    needs: tuple[str, ...] = ()

    def options(self, given: Options) -> dict[str, Value]:
        """Every parameter's value, from `given[self.name]` or its default.

        Raises ValueRefused for an unknown parameter or a value that is not allowed.
        """
        own = given.get(self.name, {})
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in own:
            if name not in known:
                allowed = ", ".join(known) or f"nothing: {self.name} has no parameters"
                raise ValueRefused(f"options.{self.name}.{name}", own[name], allowed)
        return {
            name: parameter.check(self.name, own.get(name, parameter.default))
            for name, parameter in known.items()
        }


def penalty_names(value: str) -> tuple[str, ...]:
    """The names in a recipe's `penalty`, each once: "none", a name, or several joined by "+"."""
    return () if value == NO_PENALTY else tuple(dict.fromkeys(value.split("+")))
