"""Train a clustering from a request folder, with a checkpoint after every round."""

from __future__ import annotations

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
from workbench.domain.text import Message, counted
from workbench.files import replacing, seal_archive
from workbench.learning.clustering.base import (
    CLUSTERING_METHODS,
    ClusterAssignment,
    ClusteringSetup,
    Rows,
    input_format_of,
    load_start_body,
)
from workbench.learning.images.data import Images, load_images
from workbench.learning.loop.checkpoint import load_checkpoint, save_checkpoint
from workbench.learning.networks.device import choose_device
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

REPORT_SECONDS = 0.25


class ClusterTraining:
    """Run a clustering request, from the first round or from its checkpoint."""

    def __init__(self, folder_request: FolderRequest) -> None:
        self._folder_request = folder_request
        self.request = folder_request.read(REQUEST_FILE, ClusterRequest)
        self._folder = Path(self.request.folder)
        self._images = self._read()
        rows = np.flatnonzero(self._images.read)
        if len(rows) < self.request.clusters:
            raise KnownError(
                counted(
                    len(rows),
                    "{n:,} image is too few for {clusters} groups.",
                    "{n:,} images are too few for {clusters} groups.",
                    clusters=self.request.clusters,
                ),
                "Choose fewer groups, or import more images.",
            )
        device = choose_device()
        body, frozen = load_start_body(self.request, device)
        input_format = input_format_of(self.request.start)
        stop = folder_request.raise_if_interrupted
        self.setup = ClusteringSetup(
            self.request, body, frozen, input_format, self._images, rows, device, stop
        )
        self.method = CLUSTERING_METHODS.find(self.request.method)(self.setup)
        self._first = 0
        self._began = self._reported = time.monotonic()

    def _read(self) -> Images:
        request = self._folder_request
        samples = request.samples(SAMPLES_FILE)
        given = input_format_of(self.request.start)
        images = load_images(
            samples,
            given.size,
            request.folder,
            request.report,
            request.interrupted,
            aspect=given.aspect,
        )
        if images is None:
            raise RequestInterrupted
        return images

    def run(self) -> None:
        """Train, write the clusters and report Clustered. Raises RequestInterrupted on
        cancellation; the checkpoint then holds the last complete round."""
        first = self._resume()
        self._began, self._first = time.monotonic(), first
        for round in range(first, self.request.rounds):
            torch.manual_seed(1000 * self.request.seed + round)
            self._round(round)
            self._save(round + 1)
        self._report(self.request.rounds, Message("Grouping images"), force=True)
        self._write(self.method.assignment())

    def _round(self, round: int) -> None:
        rows = self.method.start_round(round)
        self.setup.train()
        batches = _batches(rows, self.request.batch)
        for at, batch in enumerate(batches):
            self._folder_request.raise_if_interrupted()
            for optimizer in self.method.optimizers.values():
                optimizer.zero_grad()
            loss = self.method.loss(batch, round)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimizer in self.method.optimizers.values():
                optimizer.step()
            text = Message("Round {round} of {rounds}", round=round + 1, rounds=self.request.rounds)
            note = self.method.note()
            both = Message("{round} · {note}", round=text, note=note) if note else text
            self._report(round + (at + 1) / len(batches), both)

    def _report(self, done: float, text: Message, force: bool = False) -> None:
        now = time.monotonic()
        if now - self._reported < REPORT_SECONDS and not force:
            return
        self._reported = now
        behind = max(1e-6, done - self._first)
        eta = (now - self._began) / behind * (self.request.rounds - done)
        total = 100 * self.request.rounds
        report = Progress(done=min(total, round(100 * done)), total=total, text=text, eta=eta)
        self._folder_request.report(report)

    def _identity(self) -> str:
        """Digest of the request and samples; a checkpoint must match it."""
        digest = blake2b(msgspec.json.encode(self.request))
        for sample in self._images.samples:
            digest.update(f"{sample.hash} {sample.box}".encode())
        return digest.hexdigest()

    def _resume(self) -> int:
        """Load the checkpoint if there is one; return the round to continue with."""
        state = load_checkpoint(self._folder / CHECKPOINT_FILE, self._identity())
        if state is None:
            return 0
        self.setup.body.load_state_dict(state["body"])
        self.method.modules.load_state_dict(state["modules"])
        for name, own in state["optimizers"].items():
            if name in self.method.optimizers:  # some are created in each round
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

    def _write(self, found: ClusterAssignment) -> None:
        k = self.request.clusters
        labels = by_size(found.labels, k)
        samples = [self._images.samples[row] for row in self.setup.rows]
        with replacing(self._folder / CLUSTERS_FILE) as part, part.open("w+b") as file:
            np.savez(
                file,
                images=np.array([sample.image for sample in samples], np.int64),
                crops=np.array([-1 if s.crop is None else s.crop for s in samples], np.int64),
                clusters=labels,
                confidence=found.confidence,
            )
            seal_archive(file)
        (self._folder / CHECKPOINT_FILE).unlink(missing_ok=True)
        sizes = np.bincount(labels, minlength=k)
        self._folder_request.report(Clustered(sizes=tuple(sizes.tolist())))


def _batches(rows: Rows, size: int) -> list[Rows]:
    """Split rows into full batches; a single smaller batch if there are too few rows."""
    whole = len(rows) // size
    return [rows[at * size : (at + 1) * size] for at in range(whole)] or [rows]


def cluster(folder_request: FolderRequest) -> None:
    """Run the clustering request in the folder and report Clustered."""
    ClusterTraining(folder_request).run()
