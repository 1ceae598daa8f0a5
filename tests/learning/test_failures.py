"""Failures of a training as a sentence with a remedy."""

import errno

import pytest
import torch

from workbench.domain.errors import KnownError
from workbench.learning.protocol.failures import MEMORY_REMEDY, error_report, is_out_of_memory


def test_an_error_with_a_remedy_is_reported_as_it_is():
    report = error_report(KnownError("The disk is gone.", "Connect it."))
    assert (report.sentence, report.remedy, report.traceback) == (
        "The disk is gone.",
        "Connect it.",
        "",
    )


@pytest.mark.parametrize(
    ("error", "of_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA"), True),
        (RuntimeError("[enforce fail] can't allocate memory: 12 bytes"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("not enough memory: 12 bytes"), True),
        (RuntimeError("memory format"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_failed_allocations_are_recognised(error, of_memory):
    assert is_out_of_memory(error) is of_memory
    assert (error_report(error).remedy == MEMORY_REMEDY) is of_memory


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_with_the_file(number):
    report = error_report(OSError(number, "full", "weights.pt"))
    assert report.sentence == "The disk is full: weights.pt could not be written."
    assert report.remedy.startswith("Free up space")
    nameless = error_report(OSError(number, "full"))
    assert nameless.sentence == "The disk is full: a file could not be written."


def test_a_file_that_may_not_be_read_is_reported_with_its_remedy():
    report = error_report(OSError(errno.EACCES, "Permission denied", "labels.json"))
    assert report.sentence.startswith("labels.json cannot be used: ")
    assert report.remedy.endswith(" Then resume the run.")
    assert report.traceback == ""
    for other in (OSError(errno.EACCES, "Permission denied"), OSError(errno.EPIPE, "", "pipe")):
        assert error_report(other).sentence.startswith("Unexpected error in the training: ")


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (
            ValueError,
            "Expected more than 1 value per channel when training",
            "Batch normalisation cannot train on a single small image.",
        ),
        (
            RuntimeError,
            "Calculated output: Output size is too small",
            "The images are too small for this backbone.",
        ),
    ],
)
def test_what_networks_refuse_is_explained(kind, text, sentence):
    assert error_report(kind(text)).sentence == sentence
    assert error_report(kind("something else")).sentence != sentence
    assert error_report(KeyError(text)).sentence != sentence


def test_other_errors_are_reported_with_their_traceback():
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as error:
        report = error_report(error)
    assert report.sentence == "Unexpected error in the training: ZeroDivisionError"
    assert report.traceback.startswith("Traceback")
    assert report.traceback.endswith("ZeroDivisionError\n")
    assert error_report(LookupError("no such row")).sentence.endswith(": no such row")
