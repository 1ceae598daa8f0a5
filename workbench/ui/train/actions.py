"""What can be done on the Train page, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ui.page import Action

if TYPE_CHECKING:
    from workbench.ui.train.page import TrainPage


def train_actions(page: TrainPage) -> list[Action]:
    """The page's actions."""
    tr, menu = page.tr, "Run"
    return [
        Action(
            "train.start",
            tr("Train"),
            page.start_training,
            "Ctrl+Return",
            page.train.isEnabled,
            menu,
        ),
        Action("train.try", tr("Try a training step"), page.try_step, menu=menu),
        Action("train.study", tr("Compare methods in a study…"), page.studies.ask, menu=menu),
        Action(
            "train.transfer", tr("Transfer from the closest source…"), page.transfers.ask, menu=menu
        ),
        Action("train.starts", tr("Compare starts…"), page.compare_starts, menu=menu),
        Action("train.depth", tr("Accuracy by depth of the start…"), page.study_depth, menu=menu),
        Action("train.more", tr("Method and training settings"), page.unfold.toggle, menu=menu),
        Action("train.advised", tr("Back to all advised settings"), page.desk.clear_all),
    ]
