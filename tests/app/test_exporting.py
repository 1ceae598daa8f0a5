"""Export as ONNX: which images it is checked on, how the result is worded, what fails early."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.fixtures import finished_runs
from workbench.app.results.exporting import (
    OnnxFile,
    agreement,
    export_task,
    read_samples,
    spread_samples,
)
from workbench.app.session import Session
from workbench.domain.errors import KnownError
from workbench.domain.runs import SAMPLES_FILE, Sample


def samples(folder: Path, parts: str) -> list[Sample]:
    """A sample for each letter; the file of an upper-case one is missing."""
    names = {"t": "test", "l": "train", "v": "validation"}
    made = []
    for at, letter in enumerate(parts):
        path = folder / f"{at}.png"
        if letter.islower():
            path.write_bytes(b"")
        part = names[letter.lower()]
        made.append(Sample(image=at, hash=str(at), path=str(path), target=0, part=part))
    return made


@pytest.mark.parametrize(
    ("parts", "most", "chosen"),
    [
        ("ltvtTt", 32, [1, 3, 5]),
        ("lvlL", 32, [0, 1, 2]),
        ("tttttttt", 4, [0, 2, 4, 6]),
        ("ttttttttt", 4, [0, 2, 4, 6]),
        ("tttttttt", 3, [0, 2, 4]),
        ("tttt", 4, [0, 1, 2, 3]),
        ("ttttt", 4, [0, 1, 2, 3]),
        ("TL", 4, []),
    ],
)
def test_the_file_is_checked_on_images_spread_over_the_test_part(
    tmp_path: Path, parts: str, most: int, chosen: list[int]
) -> None:
    found = spread_samples(samples(tmp_path, parts), most)
    assert [sample.image for sample in found] == chosen


def test_at_most_32_images_are_compared(tmp_path: Path) -> None:
    assert len(spread_samples(samples(tmp_path, "t" * 100))) == 32
    assert len(spread_samples(samples(tmp_path, "t" * 31))) == 31


@pytest.mark.parametrize(
    ("images", "same", "text"),
    [
        (
            1,
            True,
            "Checked on 1 image: the prediction is the same,",
        ),
        (
            9,
            True,
            "Checked on 9 images: all predictions are the same,",
        ),
        (1, False, "Checked on 1 image: the prediction differs,"),
        (9, False, "Checked on 9 images: some predictions differ,"),
    ],
)
def test_the_agreement_is_put_into_words(images: int, same: bool, text: str) -> None:
    found = agreement(OnnxFile(Path("a.onnx"), 9, images, 2e-6, same))
    assert found == f"{text} scores differ by at most 2e-06."


def test_samples_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    with pytest.raises(KnownError, match="Select another run"):
        read_samples(tmp_path)
    wanted = samples(tmp_path, "tl")
    (tmp_path / SAMPLES_FILE).write_bytes(b"".join(msgspec.json.encode(s) + b"\n" for s in wanted))
    assert read_samples(tmp_path) == wanted


def test_a_job_names_its_run(session: Session, tmp_path: Path) -> None:
    images = finished_runs.fill(session.store, tmp_path / "birds")
    run = finished_runs.make_run(session.store, images, "owls")
    assert export_task(session, run.id, tmp_path / "a").title == "Export owls as ONNX"
