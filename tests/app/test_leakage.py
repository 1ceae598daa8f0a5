"""Copies of an image in different parts of a split are found, shown, moved or dismissed."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from tests.fixtures.scenery import brighter, compressed, cropped, mirrored, scenery
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.training.leakage import (
    dismiss_leaks,
    duplicates_task,
    known_duplicates,
    leak_counts,
    leaks,
    move_together,
    open_leaks,
)
from workbench.app.training.preparing import prepare
from workbench.app.training.splitting import split, take_split
from workbench.domain.duplicates import linked
from workbench.domain.features import CARD_FILE, KEYS_FILE, ROWS_FILE, FeatureCard, feature_key
from workbench.domain.reports import Note, decode_report
from workbench.domain.runs import REPORTS_FILE
from workbench.domain.splits import GroupBy, Grouping, Part, SplitPlan

COPIES = {"brighter": brighter, "mirrored": mirrored, "cropped": cropped, "small": compressed}


@pytest.fixture
def birds(session, tmp_path):
    """Twenty pictures, and a copy of another kind of each of the first four; ids by file name."""
    folder = tmp_path / "birds"
    folder.mkdir()
    for seed in range(20):
        cv2.imwrite(str(folder / f"own{seed:02}.png"), scenery(seed))
    for seed, (name, copy) in enumerate(COPIES.items()):
        cv2.imwrite(str(folder / f"{name}.png"), copy(scenery(seed)))
    assert isinstance(run_here(import_task(session, [folder])), Done)
    rows = session.images.rows(session.images.ids())
    return {Path(row.path).stem: row.id for row in rows}


def named(pairs, birds):
    names = {id_: name for name, id_ in birds.items()}
    return {frozenset((names[one.first], names[one.second])) for one in pairs}


def test_copies_are_found_and_other_pictures_are_not(session, birds):
    assert known_duplicates(session) is None
    outcome = run_here(duplicates_task(session))
    assert isinstance(outcome, Done)
    expected = {frozenset((f"own{at:02}", name)) for at, name in enumerate(COPIES)}
    assert named(outcome.value, birds) == expected
    assert known_duplicates(session) == outcome.value
    assert run_here(duplicates_task(session)) == outcome, "from stored hashes"


def test_copies_across_parts_are_reported_until_they_are_moved(session, birds):
    run_here(duplicates_task(session))
    parts = dict.fromkeys(birds.values(), Part.TRAIN)
    parts[birds["mirrored"]] = parts[birds["own02"]] = Part.TEST
    made = take_split(session, parts, "official")
    found = open_leaks(session)
    assert named([leak.pair for leak in found], birds) == {
        frozenset(("own01", "mirrored")),
        frozenset(("own02", "cropped")),
    }
    assert leak_counts(found) == {(Part.TRAIN, Part.TEST): 2}
    assert move_together(session, found[:1], Part.TEST) == 1
    assert len(leaks(session)) == 1
    assert move_together(session, leaks(session)) == 1
    assert leaks(session) == []
    assert session.splits.current().name == "official"
    assert session.store.splits.parts()[birds["own02"]] is Part.TRAIN
    session.undo()
    session.undo()
    assert session.splits.current().id == made.id
    assert open_leaks(session) == found


def test_dismissed_copies_are_reported_again_for_another_split(session, birds):
    run_here(duplicates_task(session))
    parts = dict.fromkeys(birds.values(), Part.TRAIN)
    take_split(session, parts | {birds["small"]: Part.TEST}, "one")
    dismiss_leaks(session)
    assert open_leaks(session) == []
    assert len(leaks(session)) == 1
    take_split(session, parts | {birds["small"]: Part.VALIDATION}, "two")
    assert len(open_leaks(session)) == 1


def test_groups_of_copies_are_not_divided(session, birds):
    for seed in range(3):
        split(session, SplitPlan(0.5, 0.0, 0.5, seed, Grouping(GroupBy.DUPLICATES)))
        parts = session.store.splits.parts()
        for at, name in enumerate(COPIES):
            assert parts[birds[f"own{at:02}"]] is parts[birds[name]]


def test_stored_features_find_crops_that_hashes_miss(session, tmp_path):
    """A crop to 72 % of the sides from a corner; the features of both are equal."""
    folder = tmp_path / "birds"
    folder.mkdir()
    for seed in range(6):
        cv2.imwrite(str(folder / f"own{seed}.png"), scenery(seed))
    cv2.imwrite(str(folder / "part.png"), scenery(5)[:115, :115])
    assert isinstance(run_here(import_task(session, [folder])), Done)
    assert run_here(duplicates_task(session)) == Done([])
    files = session.store.images.files(session.images.ids())
    rows = np.eye(7, dtype=np.float16)
    rows[6] = rows[5]
    rows[1] = rows[0]  # similar features of other pictures
    place = session.store.features.folder_of("net")
    place.mkdir(parents=True)
    keys = [feature_key(file.hash) for file in files.values()]
    (place / ROWS_FILE).write_bytes(rows.tobytes())
    (place / KEYS_FILE).write_bytes(np.array(keys, np.uint64).tobytes())
    card = FeatureCard(backbone="resnet18", dimensions=7, image_size=32)
    (place / CARD_FILE).write_bytes(msgspec.json.encode(card))
    (pair,) = run_here(duplicates_task(session)).value
    names = [files[image].path.rsplit("/", 1)[1] for image in (pair.first, pair.second)]
    assert names == ["own5.png", "part.png"]


def test_links_are_followed():
    assert linked([(5, 3), (7, 5), (8, 9)]) == {3: 3, 5: 3, 7: 3, 8: 8, 9: 8}


def test_a_run_notes_copies_in_different_parts(tmp_path, qapp):
    session = small_project(tmp_path)
    split(session, SplitPlan(0.5, 0.25, 0.25))
    parts = session.store.splits.parts()
    pair = [next(i for i in parts if parts[i] is part) for part in (Part.TRAIN, Part.TEST)]
    newest = int(session.images.ids().max())
    session.remember("near_duplicates", {"newest": newest, "pairs": [[*sorted(pair), 0.95]]})
    noted = "1 pair of near-duplicates is in different parts of the split."
    assert noted in notes_of(session, prepare(session, FAST))
    assert noted not in notes_of(session, prepare(session, FAST, plan=SplitPlan(0.5, 0.0, 0.5)))
    dismiss_leaks(session)
    assert noted not in notes_of(session, prepare(session, FAST))
    session.close()


def notes_of(session, run):
    lines = (session.runs_folder / run.id / REPORTS_FILE).read_bytes().splitlines()
    return [note.text for note in map(decode_report, lines) if isinstance(note, Note)]
