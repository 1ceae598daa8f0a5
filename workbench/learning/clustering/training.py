"""Learns clusters for an order in a folder: rounds with checkpoints, then the result in a file."""

from __future__ import annotations

import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.clusters import CLUSTERS_FILE, ClusterRequest, by_size
from workbench.domain.errors import KnownError
from workbench.domain.reports import Clustered, Progress
from workbench.domain.runs import CHECKPOINT_FILE, SAMPLES_FILE
from workbench.files import seal_archive
from workbench.learning.clustering.base import (
    ClusterAssignment,
    ClusteringMethod,
    ClusteringSetup,
    Rows,
    input_format_of,
    load_learner,
)
from workbench.learning.clustering.deep_cluster import DeepCluster
from workbench.learning.clustering.iic import Iic
from workbench.learning.images.data import Images, load_images
from workbench.learning.loop.checkpoint import load_checkpoint, save_checkpoint
from workbench.learning.networks.device import choose_device
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

KINDS: tuple[type[DeepCluster] | type[Iic], ...] = (DeepCluster, Iic)
REPORT_SECONDS = 0.25


class ClusterTraining:
    """One order from its first round, or from where it was stopped, to its clusters."""

    def __init__(self, errand: FolderRequest) -> None:
        self._errand = errand
        self.order = errand.read(REQUEST_FILE, ClusterRequest)
        self._folder = Path(self.order.folder)
        self._images = self._read()
        rows = np.flatnonzero(self._images.read)
        if len(rows) < self.order.clusters:
            raise KnownError(
                f"{len(rows)} images cannot make {self.order.clusters} groups.",
                "Ask for fewer groups, or import more images.",
            )
        device = choose_device()
        body, frozen = load_learner(self.order, device)
        sight = input_format_of(self.order.start)
        stop = errand.stop_if_asked
        self.setup = ClusteringSetup(
            self.order, body, frozen, sight, self._images, rows, device, stop
        )
        kind = next(kind for kind in KINDS if kind.name == self.order.method)
        self.method: ClusteringMethod = kind(self.setup)
        self._first = 0
        self._began = self._said = time.monotonic()

    def _read(self) -> Images:
        errand = self._errand
        samples = errand.samples(SAMPLES_FILE)
        size = input_format_of(self.order.start).size
        images = load_images(samples, size, errand.folder, errand.report, errand.interrupted)
        if images is None:
            raise RequestInterrupted
        return images

    def run(self) -> None:
        """Learn, keep the clusters and report Clustered. Raises Interrupted when asked to leave
        off; the rounds that were whole until then are kept."""
        first = self._resume()
        self._began, self._first = time.monotonic(), first
        for round in range(first, self.order.rounds):
            torch.manual_seed(1000 * self.order.seed + round)
            self._round(round)
            self._save(round + 1)
        self._say(self.order.rounds, "Grouping images", force=True)
        self._keep(self.method.found())

    def _round(self, round: int) -> None:
        rows = self.method.begin(round)
        self.setup.train()
        batches = _batches(rows, self.order.batch)
        for at, batch in enumerate(batches):
            self._errand.stop_if_asked()
            for optimizer in self.method.optimizers.values():
                optimizer.zero_grad()
            loss = self.method.loss(batch, round)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in self.method.optimizers.values():
                optimizer.step()
            words = f"Round {round + 1} of {self.order.rounds}"
            said = self.method.words()
            self._say(round + (at + 1) / len(batches), f"{words} · {said}" if said else words)

    def _say(self, done: float, text: str, force: bool = False) -> None:
        now = time.monotonic()
        if now - self._said < REPORT_SECONDS and not force:
            return
        self._said = now
        behind = max(1e-6, done - self._first)
        eta = (now - self._began) / behind * (self.order.rounds - done)
        total = 100 * self.order.rounds
        report = Progress(done=min(total, round(100 * done)), total=total, text=text, eta=eta)
        self._errand.report(report)

    def _identity(self) -> str:
        """What a checkpoint must have been made of."""
        digest = blake2b(msgspec.json.encode(self.order))
        for sample in self._images.samples:
            digest.update(f"{sample.hash} {sample.box}".encode())
        return digest.hexdigest()

    def _resume(self) -> int:
        """The first round to be done; everything else is as it was after the one before."""
        state = load_checkpoint(self._folder / CHECKPOINT_FILE, self._identity())
        if state is None:
            return 0
        self.setup.body.load_state_dict(state["body"])
        self.method.modules.load_state_dict(state["modules"])
        for name, own in state["optimizers"].items():
            if name in self.method.optimizers:  # one that begins anew each round is not there yet
                self.method.optimizers[name].load_state_dict(own)
        return int(state["round"])

    def _save(self, round: int) -> None:
        state: dict[str, Any] = {
            "identity": self._identity(),
            "round": round,
            "body": self.setup.body.state_dict(),
            "modules": self.method.modules.state_dict(),
            "optimizers": {n: o.state_dict() for n, o in self.method.optimizers.items()},
        }
        save_checkpoint(self._folder / CHECKPOINT_FILE, state)

    def _keep(self, found: ClusterAssignment) -> None:
        k = self.order.clusters
        labels = by_size(found.labels, k)
        samples = [self._images.samples[row] for row in self.setup.rows]
        part = self._folder / f"{CLUSTERS_FILE}.part"
        with part.open("w+b") as file:
            np.savez(
                file,
                images=np.array([sample.image for sample in samples], np.int64),
                crops=np.array([-1 if s.crop is None else s.crop for s in samples], np.int64),
                clusters=labels,
                confidence=found.confidence,
            )
            seal_archive(file)
        os.replace(part, self._folder / CLUSTERS_FILE)
        (self._folder / CHECKPOINT_FILE).unlink(missing_ok=True)
        sizes = np.bincount(labels, minlength=k)
        self._errand.report(Clustered(sizes=tuple(sizes.tolist())))


def _batches(rows: Rows, size: int) -> list[Rows]:
    """Whole batches; all rows at once where they make none."""
    whole = len(rows) // size
    return [rows[at * size : (at + 1) * size] for at in range(whole)] or [rows]


def cluster(errand: FolderRequest) -> None:
    """Report Clustered for the order in the folder."""
    ClusterTraining(errand).run()
