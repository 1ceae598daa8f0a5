"""Which of several candidates is kept: relative majority over the images that all predicted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.domain.errors import ValueRefused


@dataclass(frozen=True)
class Candidate:
    """One candidate's count: the images of which its label was elected, and those of which no
    other candidate gave that label."""

    name: str
    votes: int
    alone: int


@dataclass(frozen=True)
class Ballot:
    """One image: what each candidate said, in their order, and the label most of them gave."""

    image: int
    said: tuple[str, ...]
    elected: str
    drawn: bool


@dataclass(frozen=True)
class Election:
    """The outcome: candidates with their votes, the winner, whether it was drawn among equals, and
    the ballots of the images they did not agree on; `images` were predicted by all."""

    candidates: tuple[Candidate, ...]
    winner: str
    drawn: bool
    images: int
    disputed: tuple[Ballot, ...]


def elect(predicted: Mapping[str, Mapping[int, str]], seed: int) -> Election:
    """The candidate that agrees most often with the relative majority.

    `predicted` maps a candidate's name to its label of each image (by id); images that one of them
    lacks are left out. An image's vote goes to the label that most candidates give it, one of the
    commonest drawn at random where several are equally common, and counts for every candidate that
    gave it. The candidate with most votes wins; among equals the winner is drawn at random. The
    same predictions and seed give the same outcome.

    Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets". Raises ValueRefused
    for no candidate.
    """
    if not predicted:
        raise ValueRefused("candidates", 0, "at least one")
    names = list(predicted)
    draw = random.Random(seed)
    common = sorted(set.intersection(*(set(labels) for labels in predicted.values())))
    ballots = [_ballot(image, [predicted[name][image] for name in names], draw) for image in common]
    counted = tuple(_counted(name, at, ballots) for at, name in enumerate(names))
    most = max(candidate.votes for candidate in counted)
    best = [candidate.name for candidate in counted if candidate.votes == most]
    return Election(
        counted,
        best[0] if len(best) == 1 else draw.choice(best),
        len(best) > 1,
        len(common),
        tuple(ballot for ballot in ballots if len(set(ballot.said)) > 1),
    )


def _ballot(image: int, said: Sequence[str], draw: random.Random) -> Ballot:
    counts = Counter(said)
    most = max(counts.values())
    best = sorted(label for label, count in counts.items() if count == most)
    elected = best[0] if len(best) == 1 else draw.choice(best)
    return Ballot(image, tuple(said), elected, len(best) > 1)


def _counted(name: str, at: int, ballots: Sequence[Ballot]) -> Candidate:
    won = [ballot for ballot in ballots if ballot.said[at] == ballot.elected]
    alone = sum(ballot.said.count(ballot.elected) == 1 for ballot in won)
    return Candidate(name, len(won), alone)
