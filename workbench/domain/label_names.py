"""Lookup of labels and label sets by a written name: the one rule for all files and folders."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence


class LabelNames:
    """Existing names, looked up by a written name.

    A written name matches an equal name, else a name that is equal after `tidied`, else the only
    name that differs in case alone. If several differ in case alone, none matches.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._tidied: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for name in self._names:
            self._tidied.setdefault(tidied(name), []).append(name)
            self._folded.setdefault(_folded(name), []).append(name)

    def equal(self, written: str) -> str | None:
        """Return the name equal to `written`, including case; None if there is none."""
        clean = tidied(written)
        for name in (written, clean):
            if name in self._names:
                return name
        return _only(self._tidied.get(clean, ()))

    def found(self, written: str) -> str | None:
        """Return the name that `written` matches; None if there is none."""
        name = self.equal(written)
        return name if name is not None else _only(self._folded.get(_folded(written), ()))

    def equal_or_new(self, written: str) -> str:
        """Return the name equal to `written`, including case, else a new name."""
        name = self.equal(written)
        return name if name is not None else tidied(written)

    def found_or_new(self, written: str) -> str:
        """Return the name that `written` matches, else a new name."""
        name = self.found(written)
        return name if name is not None else tidied(written)

    def all_apart(self, written: Iterable[str]) -> dict[str, str]:
        """Map each written name of one file to an existing or a new name.

        If the file has names that differ in case alone, they are different names, and none of them
        matches a name in another case.
        """
        spellings: dict[str, set[str]] = {}
        meant = dict.fromkeys(written, "")
        for name in meant:
            spellings.setdefault(_folded(name), set()).add(tidied(name))
        for name in meant:
            alone = len(spellings[_folded(name)]) == 1
            meant[name] = self.found_or_new(name) if alone else self.equal_or_new(name)
        return meant

    def twins(self) -> tuple[str, ...]:
        """Names that differ from another one in case alone."""
        return tuple(name for alike in self._folded.values() if len(alike) > 1 for name in alike)


def sets_and_labels(
    known: Mapping[str, Iterable[str]], written: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Map each written (set, label) pair to existing or new names; `known` maps sets to labels.

    Sets match with their case only: they cannot be renamed, so no file has an old spelling.
    """
    sets = LabelNames(known)
    pairs = [(sets.equal_or_new(label_set), label) for label_set, label in written]
    labels: dict[str, list[str]] = {}
    for label_set, label in pairs:
        labels.setdefault(label_set, []).append(label)
    meant = {name: LabelNames(known.get(name, ())).all_apart(some) for name, some in labels.items()}
    return [(label_set, meant[label_set][label]) for label_set, label in pairs]


def tidied(name: str) -> str:
    """Normalise a name as it is stored: composed Unicode (NFC), without surrounding spaces."""
    return unicodedata.normalize("NFC", name).strip()


def current_spelling(label: str, current: Iterable[str]) -> str:
    """Return the one of the `current` labels that differs from `label` in case only; else
    `label`."""
    alike = [name for name in current if _folded(name) == _folded(label)]
    return label if label in alike or not alike else alike[0]


def _folded(name: str) -> str:
    return tidied(name).casefold()


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None
