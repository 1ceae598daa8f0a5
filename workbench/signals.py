"""Signals that end a program or pause its work, held back until their handlers are installed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)  # Ctrl+C; a request to end, as a cluster sends it


@contextmanager
def held_back() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM of this thread after the block, not within it.

    A process that is started in the block begins with both held back, so that none can end it
    before its handlers are installed; it calls `deliver` then. No effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def deliver() -> None:
    """Deliver SIGINT and SIGTERM from now on, first those that came while they were held back."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
