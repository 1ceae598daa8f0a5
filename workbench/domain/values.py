"""Values of JSON and tables; validation of values, and descriptions of the allowed ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec import inspect

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Cell = str | int | float | None  # of a table in a file or on the command line
Cells = Sequence[Cell]

_KIND_TEXTS: dict[type[inspect.Type], Message] = {
    inspect.BoolType: Message("true or false"),
    inspect.IntType: Message("a whole number"),
    inspect.FloatType: Message("a number"),
    inspect.StrType: Message("text"),
    inspect.DictType: Message("a table { NAME = { PARAMETER = value } }"),
}


def checked(key: str, value: object, kind: Any, allowed: str) -> Any:
    """Convert `value` to the type `kind`; integers are accepted as floats.

    Raises ValueRefused for `key` with the allowed values in `allowed`.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueRefused(key, value, allowed) from error


def allowed_text(kind: Any) -> str:
    """Describe a type: its choices, or as a message its kind with its bounds."""
    found = inspect.type_info(kind)
    if isinstance(found, inspect.LiteralType):
        return ", ".join(str(choice) for choice in get_args(kind))  # in the order of the source
    text = _KIND_TEXTS[type(found)]
    if not isinstance(found, inspect.IntType | inspect.FloatType):
        return text
    bounds = (("≥", found.ge), (">", found.gt), ("≤", found.le), ("<", found.lt))
    limits = [f"{sign} {bound:g}" for sign, bound in bounds if bound is not None]
    if not limits:
        return text
    if len(limits) == 1:
        return Message("{kind} {limit}", kind=text, limit=limits[0])
    return Message("{kind} {low} and {high}", kind=text, low=limits[0], high=limits[1])
