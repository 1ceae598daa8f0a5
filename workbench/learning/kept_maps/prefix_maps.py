"""What the frozen prefix makes of images in a fixed order: found in the store, or made once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.reports import Note, Progress, Report
from workbench.learning.device import GIB, Device
from workbench.learning.images.data import REPORT_SECONDS
from workbench.learning.kept_maps.prefix import Split, digests, run_units, stored_dtype
from workbench.learning.kept_maps.prefix_store import Maps, Store

CHUNK = 32  # images at once; part of a key, since sums may come out otherwise in other batches


class Shown(Protocol):
    """Images as they are shown to a network, pass after pass, CHUNK at a time within each."""

    @property
    def device(self) -> Device: ...

    @property
    def precision(self) -> str: ...

    @property
    def size(self) -> int:
        """Pixels along each side of what the network takes."""

    @property
    def passes(self) -> Sequence[int]:
        """How many images each pass shows."""

    @property
    def words(self) -> str:
        """What is shown, for people."""

    def inputs(self) -> Iterator[Tensor]:
        """All that is shown, at most CHUNK at a time, never two passes in one."""

    def digest(self) -> bytes:
        """Of the pixels and of everything that says how they are shown and computed with."""


def machine_words(device: Device, precision: str) -> tuple[object, ...]:
    """What makes sums come out otherwise."""
    return (device.words, torch.get_num_threads(), torch.__version__, CHUNK, precision)


def find_or_make(
    shown: Shown,
    split: Split,
    store: Store,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
    spare_others: bool = False,
) -> Maps | None:
    """The maps of `shown`, found in the store or made now, from the images or from the maps of a
    shallower cut. Says in a note what was done.

    None when there is no room, or when interrupted; `spare_others` makes no room by taking away
    older maps, and says nothing where there is none.
    """
    keys = digests(split.steps, shown.digest())
    maps = store.find(keys[-1])
    if maps is not None:
        report(Note(text=_words(shown, maps, "found and used")))
        return maps
    shape, (done, known) = _shape(shown, split), _nearest(store, keys)
    size = 2 * int(np.prod(shape))
    if spare_others and not store.has_free(size):
        return None
    maps, why = None, f"No room for {size / GIB:.1f} GiB of maps"
    if store.room_for(size):
        parts = _parts(shown, split, done, known, report, interrupted)
        maps, why = store.write(keys[-1], shape, parts), "The maps could not be kept on the disk"
    if maps is None:
        if not spare_others and not interrupted():
            text = f"{why}: each step computes the frozen stages anew."
            report(Note(text=text, warning=True))
        return None
    how = "made from those of a shallower cut" if known else "made from the images"
    report(Note(text=_words(shown, maps, how)))
    return maps


def read_maps(shown: Shown, maps: Maps, rows: NDArray[np.int64]) -> Tensor:
    """Rows of the maps of `shown`, on its device and as its network takes them."""
    read = maps.rows(rows).to(shown.device.torch)
    return read.float() if shown.precision == "fp32" else read


def _words(shown: Shown, maps: Maps, how: str) -> str:
    return f"Maps of the frozen stages {how}: {shown.words}, {maps.nbytes / GIB:.2f} GiB."


def _nearest(store: Store, keys: list[str]) -> tuple[int, Maps | None]:
    """How many units are done in the deepest shallower maps there are, and these maps."""
    for done in range(len(keys) - 1, 0, -1):
        known = store.find(keys[done - 1])
        if known is not None:
            return done, known
    return 0, None


def _parts(
    shown: Shown,
    split: Split,
    done: int,
    known: Maps | None,
    report: Callable[[Report], None],
    interrupted: Callable[[], bool],
) -> Iterator[Tensor]:
    """The maps, CHUNK images at a time, for as long as nobody interrupts."""
    made, last = 0, time.monotonic()
    for given in shown.inputs() if known is None else _stored(shown, known):
        if interrupted():
            return
        at = given.to(shown.device.torch)
        maps = run_units(split.steps[done:], at, shown.device, shown.precision)
        made += len(maps)
        if time.monotonic() - last >= REPORT_SECONDS:
            last = time.monotonic()
            report(Progress(done=made, total=sum(shown.passes), text="Computing the frozen stages"))
        yield maps


def _stored(shown: Shown, known: Maps) -> Iterator[Tensor]:
    """The stored maps in the very batches in which they would come from the images."""
    start = 0
    for count in shown.passes:
        for rows in chunks(np.arange(start, start + count)):
            yield known.rows(rows)
        start += count


def _shape(shown: Shown, split: Split) -> tuple[int, ...]:
    """N × H × W × C (or N × features) of the maps."""
    size = shown.size
    image = torch.zeros(1, 3, size, size, device=shown.device.torch)
    maps = run_units(split.steps, image, shown.device, shown.precision)
    shape = maps.permute(0, 2, 3, 1).shape if maps.ndim == 4 else maps.shape
    assert maps.dtype == stored_dtype(shown.precision)
    return (sum(shown.passes), *shape[1:])


def chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`rows` CHUNK at a time."""
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]
