"""A training: from its run folder to weights and predictions, or to a pause."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from workbench.domain.errors import KnownError
from workbench.domain.reports import (
    Epoch,
    Finished,
    Note,
    Paused,
    Progress,
    Started,
    Step,
    Stopped,
)
from workbench.domain.runs import CHECKPOINT_FILE
from workbench.domain.text import Message
from workbench.learning.evaluation.scores import (
    Scorer,
    checked,
    part_score,
    part_scores,
    save_predictions,
    score_rows,
    with_thresholds,
)
from workbench.learning.evaluation.windows import highest_scores
from workbench.learning.frozen_cache.store import FeatureStore
from workbench.learning.images.data import DecodedImageCache, load_images, report_problems
from workbench.learning.images.pixels import working_side
from workbench.learning.loop.assembly import assemble, fastest
from workbench.learning.loop.checkpoint import load_checkpoint, save_checkpoint
from workbench.learning.loop.distributed import join
from workbench.learning.loop.loop import Loop, State
from workbench.learning.networks.device import (
    GIB,
    choose_device,
    peak_memory,
    peak_on_gpu,
    peak_resident,
)
from workbench.learning.networks.models import save_model, weights_of, with_body_names
from workbench.learning.protocol.control import Control, ControlRequest
from workbench.learning.protocol.folders import RunFolder, read_run_folder
from workbench.learning.protocol.reporting import Interrupted, Preparation, Reporter

WARM_UP = 2  # first steps, excluded from the speed
CONTINUING_WITH_SGD = Message("Accuracy stopped rising: continuing with SGD from the best weights.")


class Pace:
    """Measure training steps and scoring separately, for accurate time estimates from the start."""

    def __init__(self) -> None:
        self._images = 0
        self._seconds = 0.0
        self._steps = 0
        self._mark = time.monotonic()
        self.scoring = 0.0

    def begin(self) -> None:
        """Start timing a step."""
        self._mark = time.monotonic()

    def stepped(self, images: int) -> float:
        """Record a step of `images` images; returns the current time."""
        now = time.monotonic()
        self._steps += 1
        if self._steps == WARM_UP + 1:
            self._images, self._seconds = 0, 0.0
        self._images += images
        self._seconds += now - self._mark
        self._mark = now
        return now

    def scored(self) -> None:
        """Record the scoring time since the last step or `begin`."""
        self.scoring = time.monotonic() - self._mark

    @property
    def images_per_second(self) -> float:
        """Images per second of the steps so far; 0 before the first."""
        return self._images / self._seconds if self._seconds else 0.0

    def eta(self, images: float, scorings: int) -> float:
        """Estimated seconds to train on `images` images and run `scorings` scorings."""
        per_image = self._seconds / self._images if self._images else 0.0
        return max(0.0, images * per_image) + scorings * self.scoring


def started(loop: Loop, state: State) -> Started:
    """Start report: device, size, and the epoch and step to continue from."""
    parameters = list(loop.network.parameters())
    return Started(
        device=loop.device.description,
        precision=state.precision,
        batch=loop.recipe.batch,
        parameters=sum(p.numel() for p in parameters),
        trained_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        images=loop.images.counts(),
        epoch=state.epoch,
        step=state.step,
    )


REPORT_SECONDS = 0.25
CHECKPOINT_SECONDS = float(os.environ.get("WORKBENCH_CHECKPOINT_SECONDS", "20"))
EPOCH_SECONDS = CHECKPOINT_SECONDS / 4  # at the ends of shorter epochs
COST = 20  # minimum interval, in durations of the last checkpoint


class Training:
    """A training in a run folder; `run` returns when it is finished, paused or stopped."""

    def __init__(self, folder: Path, report: Reporter, control: Control) -> None:
        self.report = report
        self.control = control
        self.run_folder: RunFolder = read_run_folder(folder)
        self.recipe = self.run_folder.recipe
        self.device = choose_device()
        self.group = join(self.device)
        self.state = State()
        self.best: dict[str, torch.Tensor] | None = None
        self.pace = Pace()
        self.started = self.saved_at = time.monotonic()
        self.save_cost = self.epoch_began = 0.0

    def run(self) -> None:
        """Train, resuming from a checkpoint if there is one. Raises KnownError."""
        path = self.run_folder.path / CHECKPOINT_FILE
        saved = load_checkpoint(path, self.run_folder.identity)
        if saved is not None:
            torch.set_num_threads(saved["state"]["threads"])
        side = working_side(self.recipe.image_size, self.recipe.test_resize)
        samples, folder = self.run_folder.samples, self.run_folder.path
        cache = DecodedImageCache.of_user()
        aspect = self.recipe.aspect
        images = load_images(samples, side, folder, self.report, self.interrupted, cache, aspect)
        if images is None:
            self._end_before_start()
            return
        self.images = images
        try:
            self._build(saved)
        except Interrupted:
            self._end_before_start()
            return
        self._report_started()
        self.epoch_began = self._seconds() - self.state.epoch_seconds
        try:
            self._cache_features()
            self._epochs()
            if self.group.is_main:
                self._finish()
        except Interrupted:
            if self.group.is_main:
                self._end_early()
        self.group.barrier()

    def interrupted(self) -> bool:
        """Whether pause or stop is requested."""
        if self.report.parent_gone:
            self.control.request(ControlRequest.PAUSE)
        return self.control.requested is not None

    def _build(self, saved: dict[str, Any] | None) -> None:
        work = Preparation(self.report, self.interrupted)
        made = assemble(self.run_folder, self.images, self.device, saved is None, self.group, work)
        self.loop, self.card = made.loop, made.card
        if made.head_loaded:
            self.report(Note(text=Message("The head of the earlier run is loaded: same labels.")))
        if saved is None:
            chosen = self.group.broadcast(
                fastest(self.run_folder, made, self.device, self.report.warn, work)
            )
            self.state.threads, self.state.precision = chosen
        else:
            self.state = State(**saved["state"])
            self.best = saved["best"]
        self.loop.use_precision(self.state.precision)
        if saved is not None:
            self.loop.restore(saved)

    def _cache_features(self) -> None:
        """Cache the features of the frozen stages if the recipe enables it."""
        if self.recipe.cache:
            self.loop.cache_features(
                self.card, FeatureStore.of_user(), self.report, self.interrupted
            )
        if self.interrupted():
            raise Interrupted

    def _report_started(self) -> None:
        self.report.start_events(
            (self.state.epoch - 1) * self.loop.steps + self.state.step + 1, self.loop.steps
        )
        self.report(started(self.loop, self.state))

    def _epochs(self) -> None:
        if self.recipe.early_stopping and not len(self.images.of_part("validation")):
            self.report.warn(Message("Early stopping needs a validation part."))
        while self.state.epoch <= self.recipe.epochs and not self._out_of_patience():
            rate = self._one_epoch()
            self._end_of_epoch(rate)

    def _out_of_patience(self) -> bool:
        patience, state = self.recipe.early_stopping, self.state
        return bool(patience and state.best_epoch and state.epoch - state.best_epoch > patience)

    def _one_epoch(self) -> float:
        """Take the remaining steps of the epoch; returns the last learning rate."""
        rate = self.loop.rate(self.state.epoch, max(0, self.state.step - 1))
        self.pace.begin()
        last = time.monotonic()
        for count, rate in self.loop.steps_of(self.state):
            now = self.pace.stepped(count * self.group.size)
            if self.group.any(self.interrupted()):
                raise Interrupted
            if now - last >= REPORT_SECONDS:
                last = now
                self._report_step(rate)
                self._checkpoint_when_due(CHECKPOINT_SECONDS)
                self.pace.begin()
        return rate

    def _report_step(self, rate: float) -> None:
        self.loop.settle(self.state)
        lost, _, count = self.state.sums
        self.report(
            Step(
                epoch=self.state.epoch,
                epochs=self.recipe.epochs,
                step=self.state.step,
                steps=self.loop.steps,
                loss=lost / max(1.0, count),
                learning_rate=rate,
                images_per_second=self.pace.images_per_second,
                eta=self._eta(),
            )
        )

    def _eta(self) -> float:
        epochs_left = self.recipe.epochs - self.state.epoch + 1
        images_left = epochs_left * len(self.loop.rows) - self.state.sums[2] * self.group.size
        return self.pace.eta(images_left, epochs_left)

    def _end_of_epoch(self, rate: float) -> None:
        self.loop.settle(self.state)
        self.state.sums = self.group.sum(self.state.sums)
        self.group.broadcast_state(self.loop.network, self.loop.average.saved())
        self.pace.begin()
        rows = self.images.of_part("validation")
        state = self.state
        with self.loop.average.applied():
            score = part_score(self._scores(rows, True), self.images, rows, self.card)
            better = score is not None and score.loss < state.best_loss
            if score is not None and better:
                state.best_epoch, state.best_loss = state.epoch, score.loss
                if self.recipe.keep == "best":
                    self.best = weights_of(self.loop.network)
        self.pace.scored()
        lost, right, count = state.sums
        if self.loop.watch(score.top1 if score else right / max(1.0, count)):
            self.report(Note(text=CONTINUING_WITH_SGD))
        epoch, seconds = state.epoch, self._seconds() - self.epoch_began
        state.epoch, state.step, state.sums = epoch + 1, 0, [0.0, 0.0, 0.0]
        self.epoch_began += seconds
        self.report(
            Epoch(
                epoch=epoch,
                epochs=self.recipe.epochs,
                train_loss=lost / max(1.0, count),
                train_accuracy=right / max(1.0, count),
                validation_loss=score.loss if score else None,
                validation_accuracy=score.top1 if score else None,
                view_accuracy=score.view_top1 if score else None,
                learning_rate=rate,
                images_per_second=self.pace.images_per_second,
                seconds=seconds,
                eta=self._eta(),
                best=better,
                memory=peak_resident(),
                device_memory=peak_on_gpu(self.device),
            )
        )
        self._checkpoint_when_due(EPOCH_SECONDS)

    def _scorer(self) -> Scorer:
        return Scorer(self.loop.network, self.card, self.device, self.state.precision)

    def _scores(self, rows: NDArray[np.int64], quick: bool) -> NDArray[np.float32]:
        scorer = self._scorer()
        batch = 2 * self.recipe.batch
        if self.loop.cached is not None and quick:
            return self.loop.cached.scores(scorer, batch)
        # in a group, interruption is decided at the next step
        leave = self.interrupted if self.group.size == 1 else lambda: False
        scores = score_rows(scorer, self.images, rows, batch, leave, quick)
        if scores is None:
            raise Interrupted
        return scores

    def _seconds(self) -> float:
        """Training time in seconds, without pauses."""
        return self.state.seconds + time.monotonic() - self.started

    def _checkpoint_when_due(self, least: float) -> None:
        if time.monotonic() - self.saved_at >= max(least, COST * self.save_cost):
            self._checkpoint()

    def _checkpoint(self) -> None:
        if not self.group.is_main:
            return
        began = time.monotonic()
        self.loop.settle(self.state)
        seconds = self._seconds()
        state = dataclasses.asdict(self.state)
        state |= {"seconds": seconds, "epoch_seconds": seconds - self.epoch_began}
        save_checkpoint(
            self.run_folder.path / CHECKPOINT_FILE,
            {
                "identity": self.run_folder.identity,
                "state": state,
                "best": self.best,
                **self.loop.saved(),
            },
        )
        self.saved_at = time.monotonic()
        self.save_cost = self.saved_at - began

    def _finish(self) -> None:
        """Score every image with the final weights and write the results to the folder."""
        self._checkpoint()
        kept = self.recipe.epochs if self.best is None else self.state.best_epoch
        weights = self._kept_weights()
        self.loop.network.load_state_dict(with_body_names(weights))
        rows = np.flatnonzero(self.images.read)
        self.report(Note(text=Message("Scoring all images.")))
        rows, scores = self._final_scores(rows)
        folder = self.run_folder.path
        self.card = with_thresholds(self.card, scores, self.images, rows)
        save_predictions(folder, scores, self.images, rows, self.card)
        save_model(folder, weights, self.card)
        self.report(
            Note(
                text=Message(
                    "Peak memory: {peak_memory:.2f} GiB.",
                    peak_memory=peak_memory(self.device) / GIB,
                )
            )
        )
        self.report(
            Finished(
                parts=part_scores(scores, self.images, rows, self.card),
                seconds=self._seconds(),
                epochs=self.state.epoch - 1,
                kept_epoch=min(kept, self.state.epoch - 1),
                memory=peak_resident(),
                device_memory=peak_on_gpu(self.device),
            )
        )
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)

    def _final_scores(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows of the images that have scores by the recipe's test protocol, and these."""
        if self.card.protocol.by_windows:
            return self._window_scores(rows)
        callbacks = (FeatureStore.of_user(), self.report, self.interrupted)
        scores = self.loop.scores_from_cache(rows, self._scorer(), *callbacks)
        return rows, self._scores(rows, False) if scores is None else scores

    def _window_scores(
        self, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Highest scores of the windows of each image file; files without windows are left out."""
        found: list[NDArray[np.float32]] = []
        kept: list[int] = []
        problems: list[KnownError] = []
        scorer, last = self._scorer(), time.monotonic()
        self.loop.network.eval()
        for at, row in enumerate(rows.tolist()):
            if self.interrupted():
                raise Interrupted
            sample = self.images.samples[row]
            try:
                found.append(highest_scores(scorer, Path(sample.path), sample.rect))
                kept.append(row)
            except KnownError as error:
                problems.append(error)
            if time.monotonic() - last >= REPORT_SECONDS:
                last = time.monotonic()
                text = Message("Scoring windows")
                self.report(Progress(done=at + 1, total=len(rows), text=text))
        report_problems(problems, len(rows), self.report)
        return np.array(kept, np.int64), checked(np.stack(found))

    def _kept_weights(self) -> dict[str, torch.Tensor]:
        if self.best is not None:
            return self.best
        with self.loop.average.applied():
            return weights_of(self.loop.network)

    def _end_early(self) -> None:
        self.control.handled.set()
        if self.control.requested is ControlRequest.STOP:
            save_model(self.run_folder.path, self._kept_weights(), self.card)
            self.report(Stopped(epoch=self.state.epoch - (self.state.step == 0)))
            (self.run_folder.path / CHECKPOINT_FILE).unlink(missing_ok=True)
        else:
            self._checkpoint()
            self.report(Paused(epoch=self.state.epoch, step=self.state.step))

    def _end_before_start(self) -> None:
        self.control.handled.set()
        stop = self.control.requested is ControlRequest.STOP
        self.report(Stopped(epoch=0) if stop else Paused(epoch=0, step=0))
