"""Transfer from the most related source: its state, candidates and vote."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from workbench.domain.backbones import DEFAULT_BACKBONE, backbone
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.recipes import KeyValue
from workbench.domain.relatedness import SourceRelatedness
from workbench.domain.text import Message, counted

SOURCE_LAYERS = 3  # layers kept from the start while the source is trained
CANDIDATE_LAYERS = (4, 5, 6)  # layers kept from the source, one candidate each
RATE = 1e-3  # twice this diverged with this many stages trained on a few hundred images
VIEWS = 8  # augmentations per image, shared by all candidates through the frozen-feature cache
TIE = 1e-3  # coupling of the per-view classifiers unless set in the recipe


class TransferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a transfer.

    `sources` are project folders, with "#LABEL SET" if it differs from the target's; `settings`
    apply to all trainings, `source_settings` to those of the source.
    """

    label_set: str
    sources: tuple[str, ...]
    start: str
    settings: dict[str, KeyValue] = {}
    source_settings: dict[str, KeyValue] = {}
    views: bool = True
    compare_views: bool = False
    seed: int = 0


class CandidateRun(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate: how many layers it keeps from the source, up to which stage, and its run.

    The run is in the target's project. `votes` counts the images whose elected label it predicted,
    `alone` those of them whose label was drawn because all candidates differed.
    """

    layers: int
    frozen: str
    run: str
    votes: int | None = None
    alone: int = 0


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as stored in the target's project; unfinished parts are empty.

    `made` in seconds since the epoch; `joint` is true if the target learns category and view
    jointly; `single` is the run without views that accompanies the winner.
    """

    request: TransferRequest = msgspec.field(name="asked")
    made: float
    ranked: tuple[SourceRelatedness, ...] = ()
    source: str = ""
    source_run: str = ""
    joint: bool = False
    candidates: tuple[CandidateRun, ...] = ()
    single: str = ""
    winner: str = ""
    drawn: bool = False
    voted: int = 0
    disputed: int = 0

    @property
    def winner_run(self) -> str:
        """Run id of the winner, "" before the vote."""
        return next((c.run for c in self.candidates if c.frozen == self.winner), "")


def frozen_stage(name: str, layers: int) -> str:
    """The stage of a backbone that its first `layers` layers reach (conv1 is 1, fire2 is 2 …).

    Raises KnownError if the backbone has no deeper layer.
    """
    stages = backbone(name).stage_names
    if layers >= len(stages):
        raise KnownError(
            counted(
                len(stages),
                "{title} has {n} stage; {layers} cannot be frozen while others train.",
                "{title} has {n} stages; {layers} of them cannot be frozen while others train.",
                title=backbone(name).title,
                layers=layers,
            ),
            "Choose a deeper backbone, such as {default_backbone}.",
            default_backbone=DEFAULT_BACKBONE,
        )
    return stages[layers - 1]


@dataclass(frozen=True)
class Candidate:
    """Votes of one candidate.

    The images whose elected label it predicted, and those of them where no other candidate
    predicted that label.
    """

    name: str
    votes: int
    alone: int


@dataclass(frozen=True)
class Ballot:
    """One image: the prediction of each candidate, in order, and the majority label."""

    image: int
    predictions: tuple[str, ...]
    elected: str
    drawn: bool


@dataclass(frozen=True)
class Election:
    """Outcome of a vote.

    Candidates with their votes, the winner, whether it was drawn among ties, and the ballots of the
    images on which they disagree; `images` were predicted by all candidates.
    """

    candidates: tuple[Candidate, ...]
    winner: str
    drawn: bool
    images: int
    disputed: tuple[Ballot, ...]


def elect(predicted: Mapping[str, Mapping[int, str]], seed: int) -> Election:
    """Elect the candidate that agrees most often with the relative majority.

    `predicted` maps a candidate's name to its label of each image (by id); images missing for any
    candidate are ignored. The label of an image is the one predicted by most candidates, ties drawn
    at random; each candidate that predicted it gets a vote. The candidate with most votes wins;
    ties are drawn at random. The same predictions and seed give the same outcome.

    Wang, Yao, Yang and Xue 2019, "Deep transfer learning on micro datasets". Raises ValueRefused
    without candidates.
    """
    if not predicted:
        raise ValueRefused("candidates", 0, Message("at least one"))
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
        tuple(ballot for ballot in ballots if len(set(ballot.predictions)) > 1),
    )


def _ballot(image: int, predictions: Sequence[str], draw: random.Random) -> Ballot:
    counts = Counter(predictions)
    most = max(counts.values())
    best = sorted(label for label, count in counts.items() if count == most)
    elected = best[0] if len(best) == 1 else draw.choice(best)
    return Ballot(image, tuple(predictions), elected, len(best) > 1)


def _counted(name: str, at: int, ballots: Sequence[Ballot]) -> Candidate:
    won = [ballot for ballot in ballots if ballot.predictions[at] == ballot.elected]
    alone = sum(ballot.predictions.count(ballot.elected) == 1 for ballot in won)
    return Candidate(name, len(won), alone)


def tuning_gap(frozen_top1: float, fine_tuned_top1: float) -> float:
    """Accuracy that fine-tuning adds to a linear head on frozen features, from −1 to 1.

    Near 0 the start's features suit the target without fine-tuning (Plested and Gedeon 2022, "Deep
    transfer learning for image classification: a survey").
    """
    return fine_tuned_top1 - frozen_top1


def negative_transfer_gap(transfer_top1: float, scratch_top1: float) -> float:
    """Error with transfer minus error without, from −1 to 1; above 0 the transfer hurt.

    Wang, Dai, Póczos and Carbonell 2019, "Characterizing and avoiding negative transfer".
    """
    return (1.0 - transfer_top1) - (1.0 - scratch_top1)
