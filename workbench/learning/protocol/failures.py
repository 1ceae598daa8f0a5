"""Failures of a training as one sentence with a remedy; unexpected ones with a traceback."""

from __future__ import annotations

import errno
import traceback

import torch

from workbench.domain.errors import KnownError, reason_of, remedy_of
from workbench.domain.reports import ErrorReport
from workbench.domain.text import Message

MEMORY_REMEDY = Message("Reduce the batch or the image size, or choose a smaller backbone.")


def error_report(error: BaseException) -> ErrorReport:
    """Report for a training that failed with `error`."""
    if isinstance(error, KnownError):
        return ErrorReport(sentence=error.sentence, remedy=error.remedy)
    if is_out_of_memory(error):
        return ErrorReport(
            sentence=Message("Not enough memory for a training step."), remedy=MEMORY_REMEDY
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ErrorReport(
            sentence=Message(
                "The disk is full: {filename} could not be written.",
                filename=error.filename or Message("a file"),
            ),
            remedy=Message("Free up space on the project's disk, then resume the run."),
        )
    if isinstance(error, OSError) and error.filename and (remedy := remedy_of(error)):
        return ErrorReport(
            sentence=Message(
                "{path} cannot be used: {reason}.", path=error.filename, reason=reason_of(error)
            ),
            remedy=Message("{remedy} Then resume the run.", remedy=remedy),
        )
    if isinstance(error, ValueError) and "more than 1 value per channel" in str(error):
        return ErrorReport(
            sentence=Message("Batch normalisation cannot train on a single small image."),
            remedy=Message("Use a batch of at least 2, or a larger image size."),
        )
    if isinstance(error, RuntimeError) and "Output size is too small" in str(error):
        return ErrorReport(
            sentence=Message("The images are too small for this backbone."),
            remedy=Message("Increase image_size; 224 suits every ImageNet backbone."),
        )
    return ErrorReport(
        sentence=Message(
            "Unexpected error in the training: {error}", error=str(error) or type(error).__name__
        ),
        remedy=Message("Report it with the text below."),
        traceback="".join(traceback.format_exception(error)),
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or in main memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "out of memory" in text or "not enough memory" in text
    )
