"""Names of labels and label sets: how they are normalised, and which one a written name means.

This is the one rule for all ways in: folders, tables, label files, commands and the window. A
written name means the label with exactly this spelling. Any other spelling is a new label, which is
reported together with the label that it resembles.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from workbench.domain.errors import ValueRefused
from workbench.domain.text import Message

# Invisible everywhere: zero-width spaces, marks of direction, soft hyphens, variation of nothing.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_JOINERS = "\u200c\u200d"  # part of words and emoji, but not at the ends of a name


class LabelNames:
    """Existing names, looked up by a written name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._tidied: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for name in self._names:
            self._tidied.setdefault(tidied(name), []).append(name)
            self._folded.setdefault(_folded(name), []).append(name)

    def equal(self, written: str) -> str | None:
        """Return the name equal to `written` after `tidied`; None if there is none."""
        if written in self._names:
            return written
        clean = tidied(written)
        return clean if clean in self._names else _only(self._tidied.get(clean, ()))

    def equal_or_new(self, written: str) -> str:
        """Return the name equal to `written`, else a new name ("" if nothing of it is left)."""
        name = self.equal(written)
        return name if name is not None else tidied(written)

    def like(self, written: str) -> str:
        """Return the first name that differs from `written` in case, spaces or the width of letters
        alone; "" if there is none."""
        alike = self._folded.get(_folded(written), ())
        return next((name for name in alike if name != written), "")


def tidied(name: str) -> str:
    """Normalise a name as it is stored: composed Unicode (NFC), no invisible characters, a space in
    place of control characters and line ends, and no surrounding spaces."""
    if name.isascii() and name.isprintable():
        return name.strip()
    text = _CONTROL.sub(" ", _INVISIBLE.sub("", name))
    return unicodedata.normalize("NFC", text).strip().strip(_JOINERS).strip()


def checked_name(name: str, about: str) -> str:
    """`name` as it is stored. Raises ValueRefused, naming what it is `about`, if nothing is left of
    it."""
    clean = tidied(name)
    if not clean:
        sentence = Message("{about} needs a name with a visible character.", about=about)
        raise ValueRefused(about, name, Message("a text with a visible character"), sentence)
    return clean


def _folded(name: str) -> str:
    clean = tidied(name)
    clean = clean if clean.isascii() else unicodedata.normalize("NFKC", clean)
    return " ".join(clean.casefold().split())


def _only(names: Iterable[str]) -> str | None:
    found = list(names)
    return found[0] if len(found) == 1 else None
