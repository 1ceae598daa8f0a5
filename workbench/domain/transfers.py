"""A transfer from the closest source: what was asked, how far it is, which layers stay fixed."""

from __future__ import annotations

import msgspec

from workbench.domain.backbones import backbone
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import SourceRelatedness

SOURCE_LAYERS = 3  # kept from the start while the source is learned
CANDIDATE_LAYERS = (4, 5, 6)  # kept from the source, one candidate each
RATE = 1e-3  # with so many stages learning from a few hundred images, twice that diverged
VIEWS = 8  # of each image that candidates are shown in turn: the layers they share see each once
TIE = 1e-3  # of the classifiers of the views, unless the recipe says otherwise

Value = bool | int | float | str | dict[str, dict[str, bool | int | float | str]]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What determines a transfer. `sources` are project folders, with "#LABEL SET" where it is not
    that of the target; `settings` hold for all trainings, `source_settings` for the source's."""

    label_set: str
    sources: tuple[str, ...]
    start: str
    settings: dict[str, Value] = {}
    source_settings: dict[str, Value] = {}
    views: bool = True
    compare_views: bool = False
    seed: int = 0


class CandidateRun(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate: how many layers it keeps from the source, the stage up to which that is, and its
    run in the target's project. `votes` counts the images whose elected label it gave, `alone`
    those of them whose label was drawn because all differed."""

    layers: int
    frozen: str
    run: str
    votes: int | None = None
    alone: int = 0


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as the target's project keeps it; what is not done yet is empty. `made` in
    seconds since the epoch; `joint` says that the target learns category and view together;
    `single` is the run without views beside the winner."""

    asked: Asked
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
        """The id of the winner's run, "" before the vote."""
        return next((c.run for c in self.candidates if c.frozen == self.winner), "")


def frozen_stage(name: str, layers: int) -> str:
    """The stage of a backbone up to which its first `layers` layers reach (conv1 is 1, fire2 is 2
    …). Raises KnownError for a backbone that has no layer above them."""
    stages = backbone(name).stage_names
    if layers >= len(stages):
        raise KnownError(
            f"{backbone(name).title} has {len(stages)} stages; {layers} of them cannot be kept "
            "while others learn.",
            "Choose a deeper backbone, such as squeezenet1_1.",
        )
    return stages[layers - 1]
