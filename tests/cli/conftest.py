"""Commands run in this process share the tests' one application object."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def application(qapp):
    """Made before a command would make one without a window."""
    return qapp
