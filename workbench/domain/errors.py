"""Two kinds of error: the world's, told in a sentence with a remedy, and ours, reported."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class KnownError(Exception):
    """The world's error: something outside the program is not as it must be.

    `sentence` names the thing (a file, a folder, a value) and the reason; `remedy` says what to do.
    Anything else that is raised is a defect of ours and is shown as a report with its traceback.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class ValueRefused(KnownError):
    """A value that a person typed is wrong: the key, the value and what is allowed are named."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {value!r} is not allowed.", f"Allowed: {allowed}.")
        self.key = key
        self.value = value
        self.allowed = allowed


@contextmanager
def parsing(path: Path, remedy: str = "") -> Generator[None, None, None]:
    """Report whatever goes wrong within the block as a KnownError that names the file.

    Only the parsing of the file's content belongs in it: parsers of damaged bytes raise almost
    anything (KeyError, EOFError, struct.error, …), so that no list of exceptions is ever complete.
    """
    try:
        yield
    except KnownError:
        raise
    except Exception as error:
        raise KnownError(f"{path} cannot be read: {_reason(error)}.", remedy) from error


def _reason(error: Exception) -> str:
    """The first line of an error, without its full stop."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0].rstrip(".")
