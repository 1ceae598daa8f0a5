"""Export of a run's network as ONNX, written and checked by the learning program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from workbench.app.jobs import Steps, Task
from workbench.app.learner import ServingProcess
from workbench.app.session import Session
from workbench.domain.errors import parsing
from workbench.domain.reports import Note, Progress
from workbench.domain.requests import Export, Exported, Going, ImageInput
from workbench.domain.runs import SAMPLES_FILE, Sample, decode_samples
from workbench.domain.text import Message, counted, mark
from workbench.files import check_replaceable, read_recorded, writing

CHECKED = 32  # images of the run on which the file is compared with PyTorch


@dataclass(frozen=True)
class OnnxFile:
    """Result of an export: the file, its size, and how far it agrees with the network.

    `largest_difference` is the largest absolute difference of a score over `images` of the run.
    """

    path: Path
    bytes: int
    images: int
    largest_difference: float
    same_predictions: bool


def export_task(session: Session, run_id: str, path: Path) -> Task[OnnxFile]:
    """A job that writes the network of a run to `path` as ONNX; the result is an OnnxFile.

    `path` gets the suffix .onnx. Raises KnownError if it is a folder. The job fails with a
    KnownError if the run has no network or no readable image, or if the file cannot be written or
    does not agree with the network.
    """
    record = session.store.runs.get(run_id)
    folder = session.store.runs_folder / run_id
    path = path if path.suffix.lower() == ".onnx" else path.with_name(path.name + ".onnx")
    with writing(path):
        check_replaceable(path)

    def work() -> Steps[OnnxFile]:
        images = tuple(ImageInput(s.path, s.box) for s in spread_samples(read_samples(folder)))
        request = Export(run=str(folder), path=str(path), images=images)
        yield Progress(done=0, text=Message("Starting the learning program"))
        with ServingProcess() as program:
            for answer in program.request(request):
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
        raise RuntimeError("An export ended without an answer.")

    return Task(Message("Export {run} as ONNX", run=record.name), work, kind="export")


def agreement(exported: Exported | OnnxFile) -> Message:
    """How far a file agrees with the network, as text."""
    if exported.same_predictions:
        return counted(
            exported.images,
            "Checked on {n:,} image: the prediction is the same, scores differ by at most"
            " {difference:.1g}.",
            "Checked on {n:,} images: all predictions are the same, scores differ by at most"
            " {difference:.1g}.",
            difference=exported.largest_difference,
        )
    return counted(
        exported.images,
        "Checked on {n:,} image: the prediction differs, scores differ by at most"
        " {difference:.1g}.",
        "Checked on {n:,} images: some predictions differ, scores differ by at most"
        " {difference:.1g}.",
        difference=exported.largest_difference,
    )


def read_samples(folder: Path) -> list[Sample]:
    """The samples recorded in a run folder; raises KnownError if the file cannot be read."""
    path = folder / SAMPLES_FILE
    with parsing(path, mark("Select another run.")):
        return decode_samples(read_recorded(path))


def spread_samples(samples: list[Sample], most: int = CHECKED) -> list[Sample]:
    """At most `most` samples whose files exist, spread evenly over the test part, or over all
    samples if it is empty."""
    existing = [s for s in samples if Path(s.path).is_file()]
    test = [s for s in existing if s.part == "test"] or existing
    step = max(1, len(test) // most)
    return test[::step][:most]
