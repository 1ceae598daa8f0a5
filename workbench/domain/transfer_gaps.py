"""Two differences that say whether a transfer was worth it."""

from __future__ import annotations


def tuning_gap(frozen_top1: float, fine_tuned_top1: float) -> float:
    """Accuracy that fine-tuning adds to a linear head on frozen features, from −1 to 1; near 0 the
    start's features suit the target as they are.

    Plested and Gedeon 2022, "Deep transfer learning for image classification: a survey".
    """
    return fine_tuned_top1 - frozen_top1


def negative_transfer_gap(transfer_top1: float, scratch_top1: float) -> float:
    """Error with transfer minus error without, from −1 to 1; above 0 the transfer did harm.

    Wang, Dai, Póczos and Carbonell 2019, "Characterizing and avoiding negative transfer".
    """
    return (1.0 - transfer_top1) - (1.0 - scratch_top1)
