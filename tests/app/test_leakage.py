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
from workbench.app.training import near_duplicates
from workbench.app.training.leakage import (
    dismiss_leaks,
    leak_counts,
    leaks,
    move_task,
    open_leaks,
    report_again,
)
from workbench.app.training.near_duplicates import (
    duplicates_task,
    known_duplicates,
    known_search,
    search_notes,
    uncompared,
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
    assert known_search(session) is None
    assert uncompared(session) == len(birds)
    outcome = run_here(duplicates_task(session))
    assert isinstance(outcome, Done)
    expected = {frozenset((f"own{at:02}", name)) for at, name in enumerate(COPIES)}
    assert named(known_duplicates(session), birds) == expected
    assert known_search(session) == outcome.value
    assert search_notes(session) == []
    assert run_here(duplicates_task(session)) == outcome, "from stored hashes"


def move(session, chosen, part=None):
    """Numbers of moved images and of pairs that stay divided."""
    moved = run_here(move_task(session, chosen, part)).value
    return moved.images, moved.held


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
    assert move(session, found[:1], Part.TEST) == (1, 0)
    assert len(leaks(session)) == 1
    assert move(session, leaks(session)) == (1, 0)
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
    dismiss_leaks(session, leaks(session))
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


@pytest.fixture
def sights(session, tmp_path):
    """Import a list of pictures; return the ids by number."""

    def put(pictures):
        folder = tmp_path / "sights"
        folder.mkdir(exist_ok=True)
        for at, pixels in enumerate(pictures):
            cv2.imwrite(str(folder / f"{at}.png"), pixels)
        assert isinstance(run_here(import_task(session, [folder])), Done)
        rows = session.images.rows(session.images.ids())
        stems = {Path(row.path).stem: row.id for row in rows}
        return {at: stems[str(at)] for at in range(len(pictures))}

    return put


def side_cut(pixels):
    """The left 60 % of a picture: another aspect."""
    return np.ascontiguousarray(pixels[:, : 6 * pixels.shape[1] // 10])


def framed(pixels):
    """A white border of a fifth of the size around a picture."""
    return cv2.copyMakeBorder(pixels, 32, 32, 32, 32, cv2.BORDER_CONSTANT, value=(255,) * 3)


def turned(pixels):
    """A picture rotated by a quarter."""
    return np.ascontiguousarray(np.rot90(pixels))


def corner(pixels):
    """Seven tenths of the sides, from the lower right, mirrored."""
    start = 3 * len(pixels) // 10
    return np.ascontiguousarray(pixels[start:, start:][:, ::-1])


@pytest.mark.parametrize("change", [side_cut, framed, turned, corner])
def test_copies_that_show_a_part_or_lie_elsewhere_are_found(session, sights, change):
    ids = sights([*map(scenery, range(8)), change(scenery(5))])
    found = run_here(duplicates_task(session)).value
    assert [pair[:2] for pair in found.pairs] == [tuple(sorted((ids[5], ids[8])))]


def test_the_edge_of_a_wide_photograph_is_compared(session, sights):
    """A copy of the left half, which the square in the centre does not show."""
    wide = [np.hstack([scenery(10 * at + turn) for turn in range(2)]) for at in range(1, 5)]
    ids = sights([*wide, scenery(20)])
    (pair,) = run_here(duplicates_task(session)).value.pairs
    assert pair[:2] == tuple(sorted((ids[1], ids[4])))


def test_similar_features_are_compared(session, sights, monkeypatch):
    """Blurred pictures without keypoints, whose hashes differ: one shows 72 % of another."""
    blurred = [cv2.GaussianBlur(scenery(seed), (0, 0), 8) for seed in range(6)]
    sights([*blurred, blurred[5][:115, :115]])
    assert run_here(duplicates_task(session)).value.pairs == []
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
    ((first, second, _),) = run_here(duplicates_task(session)).value.pairs
    assert [Path(files[image].path).stem for image in (first, second)] == ["5", "6"]


def test_pairs_that_were_not_compared_are_reported(session, sights, monkeypatch):
    monkeypatch.setattr(near_duplicates, "CHECKED", 2)
    sights([brighter(scenery(1)), mirrored(scenery(1)), compressed(scenery(1)), scenery(1)])
    run_here(duplicates_task(session))
    assert "More than 2 pairs" in str(search_notes(session)[0])
    monkeypatch.setattr(near_duplicates, "CHECKED", 6)
    run_here(duplicates_task(session))
    assert search_notes(session) == []


def test_leaks_stay_reported_when_images_are_added(session, birds, sights):
    run_here(duplicates_task(session))
    take_split(
        session, dict.fromkeys(birds.values(), Part.TRAIN) | {birds["small"]: Part.TEST}, "s"
    )
    assert len(open_leaks(session)) == 1
    sights([scenery(50), scenery(51)])
    assert len(open_leaks(session)) == 1
    assert uncompared(session) == 2
    assert "2 images have not been compared" in str(search_notes(session)[0])
    run_here(duplicates_task(session))
    assert search_notes(session) == []


def test_single_pairs_are_dismissed_and_stay_so(session, birds):
    run_here(duplicates_task(session))
    parts = dict.fromkeys(birds.values(), Part.TRAIN)
    parts |= {birds[name]: Part.TEST for name in COPIES}
    take_split(session, parts, "s")
    one, *others = open_leaks(session)
    assert len(others) == 3
    dismiss_leaks(session, [one])
    assert open_leaks(session) == others
    assert [leak.dismissed for leak in leaks(session)] == [False] * 3 + [True]
    assert move(session, others[:1]) == (1, 0)
    assert open_leaks(session) == others[1:], "the move keeps what was dismissed"
    report_again(session, leaks(session)[-1:])
    assert len(open_leaks(session)) == 3


def test_a_move_empties_no_part(session, birds):
    """All test images are copies of training images."""
    run_here(duplicates_task(session))
    copies = {birds[name] for name in COPIES}
    parts = {image: Part.TEST if image in copies else Part.TRAIN for image in birds.values()}
    take_split(session, parts, "s")
    assert move(session, open_leaks(session)) == (4, 0)
    assert leaks(session) == []
    assert session.splits.counts() == {Part.TRAIN: 22, Part.VALIDATION: 0, Part.TEST: 2}
    session.undo()
    assert move(session, open_leaks(session), Part.TRAIN) == (3, 1)
    assert len(leaks(session)) == 1


def test_a_move_takes_no_label_its_last_training_image(session, birds):
    run_here(duplicates_task(session))
    session.store.labels.assign([birds["own00"]], "view", "front")
    parts = dict.fromkeys(birds.values(), Part.TEST)
    parts |= {birds["own00"]: Part.TRAIN, birds["own10"]: Part.TRAIN}
    take_split(session, parts, "s")
    assert move(session, leaks(session), Part.TEST) == (0, 1)
    assert move(session, leaks(session)) == (1, 0)
    assert session.splits.parts()[birds["brighter"]] is Part.TRAIN


def test_a_move_takes_the_group_of_an_image_with_it(session, birds):
    """Images labelled alike stay together, as the plan of the split demands."""
    run_here(duplicates_task(session))
    nest = [birds[name] for name in ("own02", "own10", "own11")]
    session.store.labels.assign(nest, "view", "front")
    plan = SplitPlan(0.5, 0.0, 0.5, 0, Grouping(GroupBy.LABELS, "view"))
    parts = dict.fromkeys(birds.values(), Part.TRAIN) | dict.fromkeys(nest, Part.TEST)
    parts[birds["own15"]] = Part.TEST
    session.store.splits.make(plan, parts, "s")
    (leak,) = leaks(session)
    assert move(session, [leak], Part.TRAIN) == (3, 0)
    assert {session.splits.parts()[image] for image in nest} == {Part.TRAIN}


def test_a_move_within_folds_keeps_them_disjoint(session, birds):
    run_here(duplicates_task(session))
    split(session, SplitPlan(0.85, 0.15, 0.0, 1, folds=4), (), "cv")
    moved = 0
    while found := open_leaks(session):
        moved += move(session, found)[0]
    assert moved
    tested = []
    for one in session.splits.all():
        parts = session.splits.parts(one.id)
        assert set(parts) == set(birds.values())
        tested += [image for image, part in parts.items() if part is Part.TEST]
    assert sorted(tested) == sorted(birds.values())
    assert [one.name for one in session.splits.all() if one.current] == ["cv: fold 1 of 4"]


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
    dismiss_leaks(session, leaks(session))
    assert noted not in notes_of(session, prepare(session, FAST))
    session.close()


def notes_of(session, run):
    lines = (session.runs_folder / run.id / REPORTS_FILE).read_bytes().splitlines()
    return [note.text for note in map(decode_report, lines) if isinstance(note, Note)]
