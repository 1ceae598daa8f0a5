"""Several test protocols of one trained network, against independent computations."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from tests.fixtures.trained import import_discs, train
from workbench.app.jobs import Done, run_here
from workbench.app.results.evaluating import protocol_scores, protocols_task, run_protocol
from workbench.app.results.predicting import predict_folder_task
from workbench.app.session import Session
from workbench.cli.command import run as run_command
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.protocols import ScoringProtocol, parse_protocol
from workbench.domain.runs import MODEL_FILE, PROTOCOLS_FILE
from workbench.domain.splits import Part
from workbench.files import write_recorded
from workbench.learning.evaluation.trained import load_model

OWN = ScoringProtocol(test_resize=0, test_crops="centre", test_mirror=True)
SIDE = 48


@pytest.fixture
def discs(session: Session, tmp_path: Path) -> str:
    """The run of a network that was trained on 12 discs, six of them in the test part."""
    return train(session, import_discs(session, tmp_path / "discs", 18)).id


def by_hand(folder: Path, path: str, scales: tuple[float, ...], mirror: bool) -> np.ndarray:
    """Highest softmax scores over windows of an image as high as wide, with half of them shared."""
    network, card = load_model(folder)
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None]
    highest = np.zeros(len(card.labels.target.labels))
    for scale in scales:
        large = round(SIDE * scale)
        sized = torch.nn.functional.interpolate(
            pixels, (large, large), mode="bilinear", antialias=True
        )
        count = 1 + -(-(large - SIDE) // (SIDE // 2))
        places = np.linspace(0, large - SIDE, count).round().astype(int)
        for top in places:
            for left in places:
                window = sized[:, :, top : top + SIDE, left : left + SIDE].numpy()
                scores = probabilities(network, window)
                if mirror:
                    scores = (scores + probabilities(network, window[..., ::-1].copy())) / 2
                highest = np.maximum(highest, scores)
    return highest


def probabilities(network: torch.nn.Module, window: np.ndarray) -> np.ndarray:
    inputs = torch.from_numpy((window / 255 - 0.5) / 0.5).float()
    with torch.no_grad():
        outputs = network(inputs)[0].double().numpy()
    raised = np.exp(outputs - outputs.max())
    return raised / raised.sum()


def test_windows_classify_by_the_maximum_over_scales_and_places(
    session: Session, discs: str, tmp_path: Path
) -> None:
    folder = session.store.runs_folder / discs
    windows = run_protocol(session, discs, "test_crops=windows")
    task = predict_folder_task(session, discs, tmp_path / "discs", tmp_path / "by.csv", windows)
    assert isinstance(run_here(task), Done)
    with (tmp_path / "by.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::6]:
        path = str(tmp_path / "discs" / row["file"])
        wanted = by_hand(folder, path, (1.0, 1.5, 2.0, 3.0), mirror=True)
        found = [float(row[name]) for name in ("blue", "green", "red")]
        np.testing.assert_allclose(found, wanted, atol=2e-5)
        assert row["predicted"] == ("blue", "green", "red")[wanted.argmax()]


def test_several_protocols_of_one_run_are_compared_and_stored(session: Session, discs: str) -> None:
    assert protocol_scores(session, discs) == []
    others = [
        run_protocol(session, discs, text)
        for text in ("test_crops=windows,test_mirror=false", "test_resize=60 test_crops=five")
    ]
    same = run_protocol(session, discs, f"test_resize={SIDE},test_crops=centre")  # as the run's own
    done = run_here(protocols_task(session, discs, [*others, same]))
    assert isinstance(done, Done)
    assert [score.protocol for score in done.value] == [OWN, *others]
    assert {score.part for score in done.value} == {Part.TEST}  # there is no validation part
    assert {score.images for score in done.value} == {6}
    assert [score.own for score in done.value] == [True, False, False]
    assert all(score.images_per_second > 0 for score in done.value)
    stored = session.store.runs.predictions(discs, Part.TEST)
    assert done.value[0].top1 == float((stored.predicted == stored.truth).mean())
    folder = session.store.runs_folder / discs
    rows = session.store.images.rows(stored.images)
    paths = {row.id: row.path for row in rows}
    best = [
        by_hand(folder, paths[image], (1.0, 1.5, 2.0, 3.0), mirror=False).argmax()
        for image in stored.images.tolist()
    ]
    assert done.value[1].top1 == pytest.approx(float((np.array(best) == stored.truth).mean()))
    assert protocol_scores(session, discs) == done.value
    with pytest.raises(KnownError, match="no labelled images of the validation part"):
        protocols_task(session, discs, [], [Part.VALIDATION])


def test_stored_scores_are_of_the_weights_and_damage_and_lost_images_are_reported(
    session: Session, discs: str
) -> None:
    folder = session.store.runs_folder / discs
    (folder / PROTOCOLS_FILE).write_bytes(b"[")
    with pytest.raises(KnownError, match=PROTOCOLS_FILE):
        protocol_scores(session, discs)
    test = session.store.runs.predictions(discs, Part.TEST).images
    paths = [Path(row.path) for row in session.store.images.rows(test)]
    paths[0].unlink()
    other = ScoringProtocol(test_mirror=False, test_crops="centre")
    found = run_here(protocols_task(session, discs, [other])).value  # replaces the damaged file
    assert [(score.images, score.unread) for score in found] == [(5, 1)] * 2
    assert [score.protocol for score in protocol_scores(session, discs)] == [OWN, other]
    card = json.loads((folder / MODEL_FILE).read_bytes())
    stored = msgspec.json.decode((folder / PROTOCOLS_FILE).read_bytes())
    assert stored[0]["weights"] == card["weights_digest"] != ""
    stored[0]["weights"] = "of other weights"
    write_recorded(folder / PROTOCOLS_FILE, msgspec.json.encode(stored))
    assert [score.protocol for score in protocol_scores(session, discs)] == [other]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("test_crops=tiles", ("test_crops", "tiles", "windows")),
        ("test_resize=40", ("test_resize", "40", "at least 48")),
        ("test_resize=4000", ("test_resize", "4000", "2048")),
        ("test_resize=-1", ("test_resize", "-1", "0")),
        ("test_resize=1.5", ("test_resize", "1.5", "whole number")),
        ("test_crops=five", ("test_crops", "five", "49")),
        ("test_crops=windows,test_resize=60", ("test_resize", "60", "0 with test_crops=windows")),
        ("test_mirror=yes", ("test_mirror", "yes", "true or false")),
        ("epochs=3", ("epochs", "test_resize, test_crops, test_mirror")),
        ("windows", ("protocol", "windows", "KEY=VALUE")),
        ("", ("protocol", "KEY=VALUE")),
        ("test_mirror=true,test_mirror=false", ("test_mirror only once",)),
    ],
)
def test_a_protocol_refuses_what_it_cannot_mean(text: str, named: tuple[str, ...]) -> None:
    with pytest.raises(ValueRefused) as refused:
        parse_protocol(text, OWN, SIDE)
    for words in named:
        assert words in str(refused.value)


def test_missing_keys_are_those_of_the_run() -> None:
    own = ScoringProtocol(test_resize=60, test_crops="five", test_mirror=False)
    assert parse_protocol("test_mirror=true", own, SIDE) == msgspec.structs.replace(
        own, test_mirror=True
    )
    windows = parse_protocol("test_crops=windows", own, SIDE)
    assert windows == ScoringProtocol(test_resize=0, test_crops="windows", test_mirror=False)
    assert parse_protocol(own.text, OWN, SIDE) == own
    whole = ScoringProtocol(test_crops="centre+whole")
    assert whole.as_scored(SIDE) == OWN  # of the same square there is nothing more
    assert own.as_scored(SIDE) == own
    assert windows.as_scored(SIDE) == windows


def test_the_command_shows_the_table_each_time(
    session: Session, discs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(session.store.folder)
    session.close()
    asked = ["evaluate", folder, "latest", "--protocol", "test_resize=60"]
    assert run_command(asked) == 0
    first = capsys.readouterr().out
    table = first[first.index("test protocols") :].splitlines()
    assert table[1].split() == ["part", "top-1", "images", "images/s", "protocol"]
    assert [line.split()[0] for line in table[-2:]] == ["test", "test"]
    assert table[-1].split()[-1] == "test_resize=60,test_crops=centre+whole,test_mirror=true"
    assert run_command(["evaluate", folder, "latest"]) == 0
    assert capsys.readouterr().out == first
    assert run_command(["evaluate", folder, "latest", "--protocol", "test_crops=tiles"]) != 0
    assert "test_crops" in capsys.readouterr().err
