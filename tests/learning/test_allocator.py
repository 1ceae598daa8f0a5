"""Memory that a step frees is there for the next one, without the system's help."""

import subprocess
import sys

import pytest

STEPS = """
import resource, sys
from workbench.learning.allocator import keep_memory
kept = keep_memory() if sys.argv[1] == "kept" else True
import torch
def step():
    maps = [torch.ones(4_000_000) for _ in range(4)]
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(int(kept), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-c", STEPS, how], capture_output=True, text=True, check=True, timeout=120
    )
    kept, count = done.stdout.split()
    return int(kept), int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_steps_ask_the_system_for_no_pages() -> None:
    kept, count = faults("kept")
    if not kept:
        pytest.skip("another C library than glibc")
    assert count * 10 < faults("plain")[1]
