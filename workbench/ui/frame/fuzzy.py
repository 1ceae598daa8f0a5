"""Finding an action from a few letters of its title, the best match first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def score(wanted: str, text: str) -> float | None:
    """How well `text` answers `wanted`: None where its letters are not all there in order, else
    more for runs of letters, beginnings of words and short texts."""
    query = "".join(wanted.lower().split())
    lower = text.lower()
    if not query:
        return 0.0
    whole = lower.find(" ".join(wanted.lower().split()))
    points, at, last = (8.0 if whole >= 0 else 0.0) + (4.0 if whole == 0 else 0.0), 0, -2
    for letter in query:
        found = lower.find(letter, at)
        start = _word_start(lower, letter, at)
        if found < 0:
            return None
        if found != last + 1 and start >= 0:
            found = start if _rest_fits(query, letter, lower, start) else found
        points += 1.0 + (1.5 if found == last + 1 else 0.0) + (1.0 if _begins(lower, found) else 0)
        last, at = found, found + 1
    return points - 0.01 * len(text)


def _begins(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalnum()


def _word_start(text: str, letter: str, at: int) -> int:
    while (at := text.find(letter, at)) >= 0:
        if _begins(text, at):
            return at
        at += 1
    return -1


def _rest_fits(query: str, letter: str, text: str, start: int) -> bool:
    rest, at = query[query.index(letter) + 1 :], start + 1
    for wanted in rest:
        at = text.find(wanted, at) + 1
        if not at:
            return False
    return True


def ranked(wanted: str, items: Sequence[Item], text: Callable[[Item], str]) -> list[Item]:
    """The items that answer `wanted`, best first; all of them, in their order, for ""."""
    scored = [(score(wanted, text(item)), i, item) for i, item in enumerate(items)]
    found = [(-points, i, item) for points, i, item in scored if points is not None]
    return [item for _, _, item in sorted(found, key=lambda entry: entry[:2])]
