"""A run's network as an ONNX file, written and checked by the learning program."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import Task
from workbench.app.learner import ServingProcess
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.reports import Note, Progress
from workbench.domain.requests import Export, Exported, Going, Picture
from workbench.domain.runs import SAMPLES_FILE, Sample, decode_samples
from workbench.domain.text import Message

CHECKED = 32  # images of the run on which the file is compared with torch


@dataclass(frozen=True)
class OnnxFile:
    """What an export ended with: the file, and how far its scores are from the network's at most,
    over `images` of the run's own images."""

    path: Path
    bytes: int
    images: int
    largest_difference: float
    same_predictions: bool


def export_task(session: Session, run_id: str, path: Path) -> Task[OnnxFile]:
    """A job that writes the network of a run to `path` as ONNX; ends with OnnxFile.

    Fails with a KnownError where the run has no network, no image to check with, or the file
    cannot be written or does not agree with the network.
    """
    record = session.store.runs.get(run_id)
    folder = session.store.runs_folder / run_id
    path = path if path.suffix.lower() == ".onnx" else path.with_name(path.name + ".onnx")

    def work() -> Generator[object | None, None, OnnxFile]:
        pictures = tuple(Picture(s.path, s.box) for s in chosen(read_samples(folder)))
        request = Export(run=str(folder), path=str(path), pictures=pictures)
        yield Progress(done=0, text=Message("Starting the learning program"))
        with ServingProcess() as program:
            for answer in program.ask(request):
                if isinstance(answer, Going):
                    yield answer.progress
                elif isinstance(answer, Exported):
                    yield Note(text=agreement(answer))
                    return OnnxFile(
                        Path(answer.path),
                        answer.bytes,
                        answer.images,
                        answer.largest_difference,
                        answer.same_predictions,
                    )
                else:
                    yield None
        raise RuntimeError("An export ended without its answer.")

    return Task(Message("Export {run} as ONNX", run=record.name), work, kind="export")


def agreement(exported: Exported | OnnxFile) -> Message:
    """How far a file agrees with the network, in a sentence."""
    said = (
        Message(
            "Checked on {n} images: every prediction is the same, scores differ by at most {d:.1g}."
        )
        if exported.same_predictions
        else Message(
            "Checked on {n} images: scores differ by at most {d:.1g}; some predictions differ."
        )
    )
    return said.format(n=exported.images, d=exported.largest_difference)


def read_samples(folder: Path) -> list[Sample]:
    """The samples frozen in a run folder; raises KnownError naming a missing or damaged file."""
    path = folder / SAMPLES_FILE
    try:
        return decode_samples(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KnownError(
            "{path} cannot be read: {error}.", "Choose another run.", path=path, error=error
        ) from error


def chosen(samples: list[Sample], most: int = CHECKED) -> list[Sample]:
    """Some samples spread over all, those of the test part first; only such whose file is there."""
    there = [s for s in samples if Path(s.path).is_file()]
    test = [s for s in there if s.part == "test"] or there
    step = max(1, len(test) // most)
    return test[::step][:most]
