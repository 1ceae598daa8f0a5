"""Words that stand for parts of a split, in the columns, folders and file names of others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from workbench.domain.splits import Part

Given = Mapping[str, Part | None]  # word in lower case → its part as the user chose, None for none
NO_WORDS: Given = {}

_PLAIN = {
    **dict.fromkeys(("train", "training"), Part.TRAIN),
    **dict.fromkeys(("val", "valid", "validate", "validation", "dev", "development"),
                    Part.VALIDATION),
    **dict.fromkeys(("test", "testing"), Part.TEST),
}  # fmt: skip
_EITHER = frozenset({"eval", "evaluation"})  # a validation or test part, as others have it
_BESIDE = ("dataset", "data", "subset", "sets", "set", "split", "images", "image", "imgs", "img",
           "unseen", "seen", "public", "private")  # fmt: skip
_KNOWN = "|".join(sorted((*_PLAIN, *_EITHER, *_BESIDE), key=len, reverse=True))
_COMPOUND = re.compile(f"(?:{_KNOWN})+")
_TOKEN = re.compile(_KNOWN)
_LETTERS = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+|\d+")


def part_named(text: str, given: Given = NO_WORDS) -> Part | None:
    """The part of a split that a word in a file or the name of a folder stands for, in any case;
    None for other words, and for those that may mean several parts.

    Words such as set, images and seen, and numbers after the word, change nothing: train_set and
    test2017 are parts. Numbers alone do not name a part. `given` takes precedence.
    """
    word = text.strip().lower()
    if word in given:
        return given[word]
    parts = {_PLAIN[token] for token in _tokens(word) if token in _PLAIN}
    return parts.pop() if len(parts) == 1 and _EITHER.isdisjoint(_tokens(word)) else None


def is_unclear(text: str) -> bool:
    """Whether a word means some part of a split, but not which: trainval, eval."""
    tokens = _tokens(text.strip().lower())
    return part_named(text) is None and not _EITHER.union(_PLAIN).isdisjoint(tokens)


def _tokens(word: str) -> list[str]:
    """The words that a word consists of, if it has a part and nothing unknown; else none."""
    if not word or word in _PLAIN:
        return [word]
    letters = "".join(_LETTERS.findall(word))
    return _TOKEN.findall(letters) if _COMPOUND.fullmatch(letters) else []


class PartWords:
    """What the words of one column, or the folders of one level, stand for.

    Beside a word for the test part, eval means the validation part, and the reverse. PublicTest is
    the validation part beside PrivateTest, as in FER2013.
    """

    def __init__(self, words: Iterable[str], given: Given = NO_WORDS) -> None:
        self._words = list(dict.fromkeys(word.strip() for word in words if word.strip()))
        self._given = given
        self._parts = {word.lower(): part_named(word, given) for word in self._words}
        self._use_public_tests()
        self._use_evaluations()

    def _use_public_tests(self) -> None:
        of_test = {word: set(_tokens(word)) for word, part in self._parts.items()
                   if part is Part.TEST and word not in self._given}  # fmt: skip
        private = any("private" in tokens for tokens in of_test.values())
        if private and Part.VALIDATION not in self._parts.values():
            public = [word for word, tokens in of_test.items() if "public" in tokens]
            self._parts |= dict.fromkeys(public, Part.VALIDATION)

    def _use_evaluations(self) -> None:
        unclear = [word for word, part in self._parts.items()
                   if part is None and word not in self._given
                   and set(_PLAIN).isdisjoint(_tokens(word)) and is_unclear(word)]  # fmt: skip
        others = {Part.VALIDATION, Part.TEST}.difference(self._parts.values())
        if len(others) == 1:
            self._parts |= dict.fromkeys(unclear, others.pop())

    def part(self, word: str) -> Part | None:
        """The part that one of the words stands for; None if it is no part, or not known which."""
        return self._parts.get(word.strip().lower())

    def parts(self) -> set[Part]:
        """The parts that some of the words stand for."""
        return {part for part in self._parts.values() if part is not None}

    def others(self) -> list[str]:
        """The words that the user did not choose a part for, and that mean none."""
        return [word for word in self._words if not self._means_part(word)]

    def _means_part(self, word: str) -> bool:
        return bool(self.part(word)) or word.lower() in self._given or is_unclear(word)

    def to_report(self) -> dict[str, Part | None]:
        """Words whose part is not plain: it is unclear, was found by the words beside it, or is
        that of another word, too."""
        own = {word: self.part(word) for word in self._words if word.lower() not in self._given}
        by_part: dict[Part | None, set[str]] = {}
        for word, part in own.items():
            by_part.setdefault(part, set()).add(word.lower())
        return {
            word: part
            for word, part in own.items()
            if is_unclear(word)
            or (part and (part is not part_named(word) or len(by_part[part]) > 1))
        }


def part_in_name(stem: str, given: Given = NO_WORDS) -> Part | None:
    """The part that the words in the name of a file name, as in "cub_train"; None if they name none
    or several."""
    parts = {part for word in _WORDS.findall(stem.lower()) if (part := part_named(word, given))}
    return given.get(stem.lower()) or (parts.pop() if len(parts) == 1 else None)


def unclear_in_name(stem: str) -> str:
    """The word in the name of a file that means some part, but not which; "" without one."""
    words = [word for word in _WORDS.findall(stem.lower()) if is_unclear(word)]
    return words[0] if len(words) == 1 and part_in_name(stem) is None else ""


def without_part(stem: str, given: Given = NO_WORDS) -> str:
    """The words in the name of a file that name no part: "cub" for "cub_train"; "" without any."""
    if stem.lower() in given:
        return ""
    words = _WORDS.findall(stem.lower())
    return "_".join(word for word in words if not part_named(word, given))
