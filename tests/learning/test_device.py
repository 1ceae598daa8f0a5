"""Free memory of the machine: what the system reports, within a container's limit."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from workbench.learning.networks import device as module
from workbench.learning.networks.device import choose_device, free_memory, peak_memory

MEMORY = "MemTotal: 900 kB\nMemAvailable:    500 kB\n"
LIMIT, USED = "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({"/proc/meminfo": MEMORY}, 512_000),
        ({"/proc/meminfo": MEMORY, LIMIT: "max\n", USED: "7\n"}, 512_000),
        ({"/proc/meminfo": MEMORY, LIMIT: "900\n", USED: "300\n"}, 600),
        ({"/proc/meminfo": MEMORY, LIMIT: "300\n", USED: "900\n"}, 0),
        ({"/proc/meminfo": MEMORY, LIMIT: "300\n", USED: "300\n"}, 0),
        ({"/proc/meminfo": MEMORY, LIMIT: "9000000\n", USED: "1\n"}, 512_000),
    ],
)
def test_free_memory_stays_within_the_limit_of_the_container(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], free: int
) -> None:
    def opened(path: str) -> io.StringIO:
        if path not in files:
            raise FileNotFoundError(path)
        return io.StringIO(files[path])

    monkeypatch.setattr(module, "open", opened, raising=False)
    assert free_memory(choose_device()) == free


@pytest.mark.skipif(sys.platform == "win32", reason="not counted there")
def test_the_peak_is_counted_in_bytes() -> None:
    if choose_device().kind == "cpu":
        assert peak_memory(choose_device()) > 20_000_000


PEAK = "from workbench.learning.networks.device import peak_resident; print(peak_resident())"


@pytest.mark.skipif(sys.platform != "linux", reason="only there a child inherits the peak")
def test_the_peak_is_that_of_this_process_and_not_of_the_one_that_started_it() -> None:
    ours = b"x" * 900_000_000
    child = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, check=True)
    assert 20_000_000 < int(child.stdout) < len(ours)
