"""The C library's memory: what a training step gives back is kept for the next step."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>
GROWTH = 64 * 1024**2  # bytes taken from the system at a time


def keep_memory() -> bool:
    """Stop glibc from returning large blocks to the system when they are freed; call it before
    the first tensor is made. Says whether this system lets itself be asked.

    The feature maps of a training step are tens of megabytes, for which glibc maps fresh pages and
    unmaps them again: a sixth of a step's time goes into the system's zeroing them. The peak is the
    same, since the next step needs the memory anyway.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, GROWTH))
    return all([mallopt(name, value) == 1 for name, value in settings])
