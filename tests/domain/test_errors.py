"""Errors name what is wrong and what to do; reasons of others are shortened to one line."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from workbench.domain.errors import KnownError, ValueRefused, parsing, reason_of, shown_value
from workbench.domain.text import Message


def test_a_message_is_the_sentence_and_the_remedy() -> None:
    error = KnownError("{name} is broken.", "Replace {name}.", name="a.csv")
    assert (error.sentence, error.remedy) == ("a.csv is broken.", "Replace a.csv.")
    assert str(error) == error.message == "a.csv is broken. Replace a.csv."
    alone = KnownError("Broken.")
    assert (str(alone), alone.message, alone.remedy) == ("Broken.", "Broken.", "")
    given = Message("{n} rows", n=3)
    assert KnownError(given).sentence is given


def test_a_refused_value_is_shown_with_its_key_and_what_is_allowed() -> None:
    refused = ValueRefused("epochs", -1, "1 or more")
    assert str(refused) == "“-1” is not a valid value for epochs. Allowed: 1 or more."
    assert (refused.key, refused.value, refused.allowed) == ("epochs", -1, "1 or more")
    assert str(ValueRefused("head", None, "linear")) == "No head is given. Allowed: linear."
    own = ValueRefused("head", "x", "linear", Message("No such head."))
    assert str(own) == "No such head. Allowed: linear."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (0.5, "0.5"),
        (None, ""),
        ([1, True, "a"], "1, true, a"),
        ((), ""),
        ({"rate": 0.5, "frozen": False}, "rate = 0.5, frozen = false"),
    ],
)
def test_values_are_shown_as_a_user_writes_them(value: object, shown: str) -> None:
    assert shown_value(value) == shown


def test_an_error_of_a_parser_names_the_file_and_a_known_error_stays() -> None:
    with pytest.raises(KnownError) as caught, parsing(Path("a.csv"), "Take another."):
        {}["column"]
    assert str(caught.value) == "a.csv cannot be read: 'column'. Take another."
    assert isinstance(caught.value.__cause__, KeyError)
    known = KnownError("As it was.")
    with pytest.raises(KnownError) as same, parsing(Path("a.csv")):
        raise known
    assert same.value is known


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("First line.\nSecond line."), "First line"),
        (ValueError("  bad value. "), "bad value"),
        (ValueError(), "ValueError"),
        (ValueError(" \n"), "ValueError"),
        (OSError(errno.ENOENT, "No such file", "a.csv"), "no such file or folder"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on the disk"),
        (OSError(9999, "Strange error.", "a.csv"), "Strange error"),
        (OSError(errno.EINVAL, Message("it is a named pipe")), "it is a named pipe"),
        (OSError("disk gone."), "disk gone"),
    ],
)
def test_a_reason_is_the_first_line_without_numbers_and_names(
    error: Exception, reason: str
) -> None:
    assert reason_of(error) == reason


def test_a_reason_that_is_a_message_stays_one() -> None:
    message = Message("{n} rows are missing.", n=2)
    assert reason_of(ValueError(message)) is message
