"""Texts that can be translated: one way to mark them, in every layer, without Qt.

- `tr("Train")` translates a text where it is shown.
- `plural(n, "{n:,} image", "{n:,} images")` does so for a number, with the forms that the language
  of the window has.
- `mark("Train")` marks a text that is translated elsewhere: one of a table, an enum or a decorator,
  which are read before a language is chosen. Whoever shows it calls `tr`.
- `Message("{path} cannot be read.", path=path)` is a sentence with its values filled in, which
  remembers both, so that `tr` can translate it where it is shown: errors, notes and advice are made
  where no window is, or in another process. `counted` is a message with a plural.

The first argument is always a literal, since the texts are collected from the code (see
packaging/translations.py). They share one context, so that a text means the same everywhere; where
one English text has two meanings, `comment` keeps them apart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from typing import Any

Translate = Callable[[str, str, int], str]  # a text, its comment, a number or -1

_STORED = '{"template": '  # how a stored message with values begins
CONTEXT = "Workbench"  # Qt's name for where a text stands; all of ours share it

_translate: Translate | None = None


def use_language(translate: Translate | None) -> None:
    """Translate with `translate` from now on; None means English, as written in the code."""
    global _translate
    _translate = translate


def mark(text: str, comment: str = "") -> str:  # noqa: ARG001 (the comment is for translators)
    """`text` itself: translated with `tr` where it is shown."""
    return text


def tr(text: str, comment: str = "") -> str:
    """`text` in the language of the window. A `Message` is translated before its values are filled
    in, and those of them that are messages are translated, too."""
    if _translate is None:
        return text
    if not isinstance(text, Message):
        return _translate(text, comment, -1) if text else text
    values = {k: tr(v) if isinstance(v, Message) else v for k, v in text.values.items()}
    if text.one:
        return plural(int(str(values.pop("n"))), text.one, text.template, **values)
    return _translated(_translate(text.template, comment, -1), text.template, values)


def plural(n: int, one: str, many: str, **values: object) -> str:
    """The form for `n` things with `n` and `values` filled in, in the language of the window.

    A language may have other forms than `one` and `many`; they are stored under `many`.
    """
    english = one if n == 1 else many
    text = english if _translate is None else _translate(many, "", n)
    return _translated(english if text == many else text, english, {"n": n, **values})


class Message(str):
    """A sentence with its values filled in, which can still be translated.

    Its values are named in the template: `Message("{path} has no column {name}.", path=…, name=…)`.
    A value that is itself a message is translated with it. `one` is the template for n = 1 where
    the template has a plural (see `counted`).
    """

    template: str
    one: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Message:
        if isinstance(template, Message) and not values:
            return template
        return cls.made(str(template), "", values)

    @classmethod
    def made(cls, template: str, one: str, values: Mapping[str, object]) -> Message:
        """A message from its template, its template for one and its values."""
        made = super().__new__(cls, _filled(one if one and values["n"] == 1 else template, values))
        made.template, made.one, made.values = template, one, values
        return made

    def format(self, *args: object, **values: object) -> Message:
        """The message with further values filled in; they have names."""
        if args:
            raise TypeError("The values of a message have names.")
        return self.made(self.template, self.one, {**self.values, **values})

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep template and values on the way to another process; values that are neither numbers
        nor messages as text."""
        values = {name: _plain(value) for name, value in self.values.items()}
        return Message.made, (self.template, self.one, values)


def counted(n: int, one: str, many: str, **values: object) -> Message:
    """The message for `n` things: `counted(3, "{n:,} image", "{n:,} images")`."""
    return Message.made(many, one, {"n": n, **values})


def encode_message(value: object) -> object:
    """`enc_hook` of msgspec: a message as text, or as an object with its values if it has any."""
    if not isinstance(value, Message):
        raise NotImplementedError(f"{type(value).__name__} cannot be encoded.")
    return _encoded(value) if value.values else value.template


def decode_message(kind: type, value: object) -> Message:
    """`dec_hook` of msgspec: the message that `encode_message` encoded."""
    if kind is not Message:
        raise NotImplementedError(f"{kind.__name__} cannot be decoded.")
    if isinstance(value, str):
        return Message(value)
    if not isinstance(value, dict) or set(value) != {"template", "one", "values"}:
        raise ValueError("Expected a text, or a template with values.")
    values = value["values"].items()
    decoded = {k: decode_message(Message, v) if isinstance(v, dict) else v for k, v in values}
    return Message.made(value["template"], value["one"], decoded)


def stored(text: str) -> str:
    """`text` for a column of a database: JSON if it is a message with values."""
    found = encode_message(text) if isinstance(text, Message) else text
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def from_stored(text: str) -> Message:
    """The message of a column that `stored` filled."""
    if text.startswith(_STORED):
        with suppress(ValueError):
            return decode_message(Message, json.loads(text))
    return Message(text)


def _encoded(message: Message) -> dict[str, object]:
    """A message as a value of another one: always an object, to distinguish it from text."""
    _, (template, one, values) = message.__reduce__()
    plain = {k: _encoded(v) if isinstance(v, Message) else v for k, v in values.items()}
    return {"template": template, "one": one, "values": plain}


def _translated(text: str, english: str, values: Mapping[str, object]) -> str:
    """A translation with its values; the English text if the translation has other names."""
    try:
        return _filled(text, values)
    except (LookupError, ValueError):
        return _filled(english, values)


def _plain(value: object) -> int | float | str:
    """A value that JSON and pickles can hold; NumPy's numbers become Python's."""
    if isinstance(value, Message):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return str(value)


def _filled(template: str, values: Mapping[str, object]) -> str:
    """A text without values is no template: it may hold any braces."""
    return template.format(**values) if values else template
