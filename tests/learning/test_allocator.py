"""Memory freed by a step is reused by the next one."""

import ctypes
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from workbench.learning.loop.allocator import keep_memory

# The C library's own books (mallinfo2) are read, not the system's page counts, which differ with
# the kernel: `hblkhd` is what lies in blocks of their own, `arena` what is kept in the heap.
STEPS = """
import ctypes, json, sys
from workbench.learning.loop.allocator import keep_memory
kept = keep_memory() if sys.argv[1] == "kept" else True
import torch
NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
class Books(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in NAMES]
read = getattr(ctypes.CDLL(None), "mallinfo2", None)
if read is None or not kept:
    print("null")
    sys.exit()
read.restype = Books
maps = [torch.ones(16_000_000) for _ in range(4)]
during = read()
del maps
after = read()
print(json.dumps({"mapped": during.hblkhd, "left": after.arena}))
"""
MAPS = 4 * 16_000_000 * 4  # bytes


def books(how: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True, timeout=120
    )
    read: dict[str, int] | None = json.loads(done.stdout)
    if read is None:
        pytest.skip("another C library than glibc 2.33 or newer")
    return read


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_what_a_step_frees_stays_in_the_heap() -> None:
    plain, kept = books("plain"), books("kept")
    assert plain["mapped"] >= MAPS > plain["left"]
    assert kept["left"] >= MAPS > 100 * kept["mapped"]


def test_other_systems_and_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", "win32")
        assert keep_memory() is False
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert keep_memory() is False
    asked, answer = [], [1, 1, 1]
    library = SimpleNamespace(mallopt=lambda *what: (asked.append(what), answer.pop())[1])
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    assert keep_memory() is True
    assert asked == [(-4, 0), (-1, 2**31 - 1), (-2, 64 * 1024**2)]
    answer[:] = [1, 0, 1]
    assert keep_memory() is False
