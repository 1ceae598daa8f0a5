"""Device selection (CUDA, MPS, then CPU), and memory."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

import torch

from workbench.domain.text import Message, counted

if sys.platform == "win32":
    import psutil
else:
    import resource

GIB = 1024**3


@dataclass(frozen=True)
class Device:
    """A torch device and its display name ("NVIDIA H200, 139 GiB" or "CPU, 2 cores")."""

    torch: torch.device
    description: Message

    @property
    def kind(self) -> str:
        """ "cuda", "mps" or "cpu"."""
        return self.torch.type


def choose_device() -> Device:
    """Best available device; `WORKBENCH_DEVICE=cpu` forces the CPU."""
    wanted = os.environ.get("WORKBENCH_DEVICE", "")
    if wanted != "cpu" and torch.cuda.is_available():
        # torchrun assigns one accelerator to each process
        own = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        torch.cuda.set_device(own)
        properties = torch.cuda.get_device_properties(own)
        description = Message(
            "{name}, {size:.0f} GiB", name=properties.name, size=properties.total_memory / GIB
        )
        return Device(torch.device("cuda", own), description)
    if wanted != "cpu" and torch.backends.mps.is_available():
        return Device(torch.device("mps"), Message("Apple GPU"))
    return Device(torch.device("cpu"), _cpu_description())


def cores() -> int:
    """Number of CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_description() -> Message:
    return counted(cores(), "CPU, {n} core", "CPU, {n} cores")


def synchronise(device: Device) -> None:
    """Wait for pending device operations, for accurate timing."""
    if device.kind == "cuda":
        torch.cuda.synchronize()
    elif device.kind == "mps":
        torch.mps.synchronize()


def free_memory(device: Device) -> int:
    """Free bytes on the device; 0 if unknown."""
    if device.kind == "cuda":
        return int(torch.cuda.mem_get_info()[0]) + torch.cuda.memory_reserved()
    if device.kind == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory())
    return _free_ram()


def _free_ram() -> int:
    with contextlib.suppress(OSError, ValueError, StopIteration), open("/proc/meminfo") as lines:
        line = next(line for line in lines if line.startswith("MemAvailable"))
        return min(int(line.split()[1]) * 1024, _control_group_room())
    names = getattr(os, "sysconf_names", {})
    if "SC_AVPHYS_PAGES" in names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _control_group_room() -> int:
    """Free bytes within a container's limit; sys.maxsize without a limit."""
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/memory.max") as file:
            limit = int(file.read())
        with open("/sys/fs/cgroup/memory.current") as file:
            return max(0, limit - int(file.read()))
    return sys.maxsize


def peak_memory(device: Device) -> int:
    """Peak number of bytes this process has used on the device."""
    return peak_resident() if device.kind == "cpu" else peak_on_gpu(device)


def peak_on_gpu(device: Device) -> int:
    """Peak number of bytes of tensors on a GPU (on MPS, what is allocated now); 0 on the CPU."""
    if device.kind == "cuda":
        return torch.cuda.max_memory_allocated()
    return torch.mps.driver_allocated_memory() if device.kind == "mps" else 0


def peak_resident() -> int:
    """Peak resident memory of this process in bytes; 0 if unknown.

    On Linux, getrusage is no use: a started program inherits the peak of the one that started it.
    """
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    with (
        contextlib.suppress(OSError, ValueError, StopIteration),
        open("/proc/self/status") as lines,
    ):
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
