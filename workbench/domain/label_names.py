"""Which label, or label set, a written name means: the one rule for every file and folder."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence


class LabelNames:
    """The names there are, looked up by a written name.

    A written name means the one that is equal; else the one that is equal once both are `tidied`;
    else the only one that differs in case alone. Where several differ in case alone, it means none
    of them.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = dict.fromkeys(names)
        self._tidied: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for name in self._names:
            self._tidied.setdefault(tidied(name), []).append(name)
            self._folded.setdefault(_folded(name), []).append(name)

    def equal(self, written: str) -> str | None:
        """The name equal to `written`, case included; None without one."""
        clean = tidied(written)
        for name in (written, clean):
            if name in self._names:
                return name
        return _only(self._tidied.get(clean, ()))

    def found(self, written: str) -> str | None:
        """The name that `written` means; None without one."""
        name = self.equal(written)
        return name if name is not None else _only(self._folded.get(_folded(written), ()))

    def equal_or_new(self, written: str) -> str:
        """The name equal to `written`, case included, or the new name it makes."""
        name = self.equal(written)
        return name if name is not None else tidied(written)

    def found_or_new(self, written: str) -> str:
        """The name that `written` means, or the new name it makes."""
        name = self.found(written)
        return name if name is not None else tidied(written)

    def all_apart(self, written: Iterable[str]) -> dict[str, str]:
        """What each written name means, or makes, in a text where names that differ in case alone
        are different names: where it holds two such, neither means a name in another case."""
        spellings: dict[str, set[str]] = {}
        meant = dict.fromkeys(written, "")
        for name in meant:
            spellings.setdefault(_folded(name), set()).add(tidied(name))
        for name in meant:
            alone = len(spellings[_folded(name)]) == 1
            meant[name] = self.found_or_new(name) if alone else self.equal_or_new(name)
        return meant

    def twins(self) -> tuple[str, ...]:
        """The names that differ from another one in case alone."""
        return tuple(name for alike in self._folded.values() if len(alike) > 1 for name in alike)


def sets_and_labels(
    known: Mapping[str, Iterable[str]], written: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The set and label that each written pair means, or makes; `known` maps sets to their labels.

    A set is never meant in another case: sets cannot be renamed, so no text holds a former
    spelling of one.
    """
    sets = LabelNames(known)
    pairs = [(sets.equal_or_new(label_set), label) for label_set, label in written]
    labels: dict[str, list[str]] = {}
    for label_set, label in pairs:
        labels.setdefault(label_set, []).append(label)
    meant = {name: LabelNames(known.get(name, ())).all_apart(some) for name, some in labels.items()}
    return [(label_set, meant[label_set][label]) for label_set, label in pairs]


def tidied(name: str) -> str:
    """`name` as a new label is stored: in composed Unicode form (NFC), no spaces around it."""
    return unicodedata.normalize("NFC", name).strip()


def carried_spelling(label: str, carried: Iterable[str]) -> str:
    """The one of the `carried` labels that differs from `label` in case alone; else `label`."""
    alike = [name for name in carried if _folded(name) == _folded(label)]
    return label if label in alike or not alike else alike[0]


def _folded(name: str) -> str:
    return tidied(name).casefold()


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None
