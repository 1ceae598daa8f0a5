"""The Mouths page on a real project: queues, keys, squares, misses, undo, and a restart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt

from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.session import Session
from workbench.domain.crops import Crop, CropState, Queue
from workbench.domain.geometry import Rect
from workbench.domain.images import FoundImage
from workbench.storage.project import Project
from workbench.ui.page import Context
from workbench.ui.pages.mouths.page import MouthsPage

WIDTH, HEIGHT = 160, 120
LANDMARKS = tuple((40.0 + i % 12, 60.0 + i // 12) for i in range(68))


def face(image, number, left, state=CropState.FOUND, reviewed=False):
    return Crop(
        None, image, number, state, Rect(left, 50, left + 30, 80), LANDMARKS, "cascade", reviewed
    )


@pytest.fixture
def session(tmp_path, qapp):
    photos = tmp_path / "photos"
    photos.mkdir()
    found = []
    for i in range(6):
        pixels = np.full((HEIGHT, WIDTH, 3), 40 * i, np.uint8)
        cv2.imwrite(str(photos / f"{i}.png"), pixels)
        stat = (photos / f"{i}.png").stat()
        found.append(FoundImage(f"{i}.png", f"hash{i}", WIDTH, HEIGHT, stat.st_size, stat.st_mtime))
    store = Project.create(tmp_path / "faces")
    opened = Session(store)
    with opened.edit("Import"):
        images = store.images.add(store.images.add_source(str(photos)), found)
    one, two, missed, group, rejected, _ = images
    with opened.edit("Find mouths"):
        for crop in (
            face(one, 0, 20),
            face(two, 0, 30),
            Crop(None, missed, 0, CropState.MISSED, reason="no face was found"),
            face(group, 0, 10),
            face(group, 1, 60),
            face(group, 2, 110),
            face(rejected, 0, 40, CropState.REJECTED, reviewed=True),
        ):
            store.crops.save(crop)
    yield opened
    opened.close()


class Desk:
    """A page on a project, with everything it said and where it led."""

    def __init__(self, session, qtbot):
        self.said, self.went = [], []
        self.thumbnails = ThumbnailLoader(session)
        self.page = MouthsPage(
            Context(
                session,
                None,
                None,
                self.thumbnails,
                lambda name, **what: self.went.append((name, what)),
                lambda text, kind: self.said.append((kind, text)),
            )
        )
        session.changed.connect(self.page.refresh)
        qtbot.addWidget(self.page)
        self.page.resize(1100, 650)
        self.page.show()
        self.qtbot = qtbot
        self.session = session

    def close(self):
        self.page.closing()
        self.thumbnails.close()

    def key(self, key):
        self.qtbot.keyClick(self.page, key)

    @property
    def image(self):
        return self.page.desk.image

    def at(self, number):
        """Go to the image whose file is called `number`.png."""
        self.page.set_queue(Queue.ALL)
        self.page.queue.grid.set_current(int(self.page.book.ids(Queue.ALL)[number]))

    def counts(self):
        rows = self.page.queue.rows()
        return {queue.value: row.count for (queue, label), row in rows.items() if label < 0}

    def label_of(self, crop_id):
        found = self.session.store.labels.of_crops([crop_id], "expression")
        return found[crop_id][0] if found else None

    def advance(self):
        before = (self.image, self.page.desk.current)
        self.qtbot.waitUntil(lambda: (self.image, self.page.desk.current) != before)


@pytest.fixture
def desk(session, qtbot):
    made = Desk(session, qtbot)
    yield made
    made.close()


def test_it_opens_on_what_waits_and_counts_every_queue(desk):
    assert desk.counts() == {
        "all": 6, "unseen": 1, "review": 3, "missed": 1, "several": 1, "rejected": 1,
        "unlabelled": 3,
    }  # fmt: skip
    assert desk.page.save_state()["queue"] == "review"
    assert "found by cascade" in desk.page.stage._state.text()


def test_a_key_labels_the_mouth_and_the_next_one_comes(desk):
    first = desk.page.desk.current
    desk.key(Qt.Key.Key_S)
    assert desk.label_of(first) == "smile"
    assert [b.label for b in desk.page.side.keys.buttons if b.assigned] == ["smile"]
    desk.advance()
    desk.key(Qt.Key.Key_1)
    assert desk.label_of(first) == "smile"
    assert desk.counts()["review"] == 1


def test_keys_struck_faster_than_the_flash_go_to_one_mouth_each(desk):
    crops = [
        crop.id
        for image in desk.page.book.ids(Queue.REVIEW)
        for crop in desk.session.store.crops.of_image(int(image))
    ]
    for key in (Qt.Key.Key_N, Qt.Key.Key_P, Qt.Key.Key_S, Qt.Key.Key_O, Qt.Key.Key_2):
        desk.key(key)
    labels = [desk.label_of(crop) for crop in crops]
    assert labels == ["none", "pouting", "smile", "open", "pouting"]


def test_backspace_takes_a_label_away_and_stays(desk):
    desk.at(0)
    crop = desk.page.desk.current
    desk.page.label("open")
    desk.page.step(-1)
    desk.at(0)
    desk.page.clear_label()
    assert desk.label_of(crop) is None
    assert desk.page.desk.current == crop


def test_accept_and_reject_decide_and_go_on(desk):
    first, second = [int(i) for i in desk.page.book.ids(Queue.REVIEW)[:2]]
    desk.page.accept()
    desk.advance()
    assert desk.image == second
    desk.key(Qt.Key.Key_Delete)
    (one,) = desk.session.store.crops.of_image(first)
    (two,) = desk.session.store.crops.of_image(second)
    assert (one.state, one.reviewed) == (CropState.FOUND, True)
    assert (two.state, two.reviewed) == (CropState.REJECTED, True)
    assert desk.counts()["rejected"] == 2


def test_faces_of_a_group_are_gone_through_one_by_one(desk):
    desk.at(3)
    faces = desk.page.desk.faces()
    assert [tile.face.number for tile in desk.page.stage.strip.tiles()] == [1, 2, 3]
    desk.page.desk.step(1)
    assert desk.page.desk.current == faces[1]
    desk.qtbot.mouseClick(desk.page.stage.strip.tiles()[2], Qt.MouseButton.LeftButton)
    assert desk.page.desk.current == faces[2]
    desk.page.desk.keep_only()
    states = [crop.state for crop in desk.session.store.crops.of_image(desk.image)]
    assert states == [CropState.REJECTED, CropState.REJECTED, CropState.FOUND]
    assert desk.counts()["several"] == 0


def test_a_square_moved_by_hand_is_adjusted_and_undone(desk):
    desk.at(0)
    crop = desk.page.desk.crop()
    desk.page.stage.photo.adjusted.emit(crop.id, Rect(22, 55, 62, 95))
    stored = desk.session.store.crops.get([crop.id])[0]
    assert (stored.state, stored.rect) == (CropState.ADJUSTED, Rect(22, 55, 62, 95))
    desk.session.undo()
    assert desk.page.desk.crop().rect == crop.rect
    assert desk.page.desk.crop().state is CropState.FOUND


def test_keys_nudge_and_resize_the_square_inside_the_photo(desk):
    desk.at(0)
    before = desk.page.desk.crop().rect
    desk.page.nudge_right()
    moved = desk.page.desk.crop().rect
    assert (moved.left, moved.width) == (before.left + 1, before.width)
    for _ in range(60):
        desk.page.larger()
    largest = desk.page.desk.crop().rect
    assert largest.width == largest.height == HEIGHT
    assert largest.left >= 0
    assert largest.right <= WIDTH


def test_a_miss_says_why_and_takes_a_square_by_hand(desk):
    desk.page.set_queue(Queue.MISSED)
    assert "no face was found" in desk.page.stage._state.text()
    desk.key(Qt.Key.Key_S)
    assert desk.said[-1][0] == "warn"
    desk.page.stage.photo.drawn.emit(Rect(30, 30, 70, 70))
    assert desk.page.desk.crop().rect == Rect(30, 30, 70, 70)
    desk.key(Qt.Key.Key_S)
    assert desk.label_of(desk.page.desk.current) == "smile"
    assert desk.counts()["missed"] == 0


def test_escape_gives_up_drawing_and_enter_accepts(desk):
    desk.at(0)
    crop = desk.page.desk.current
    desk.qtbot.mouseClick(desk.page.side.buttons["draw"], Qt.MouseButton.LeftButton)
    assert desk.page.stage.photo.drawing
    desk.key(Qt.Key.Key_Escape)
    assert not desk.page.stage.photo.drawing
    assert not desk.page.side.buttons["draw"].isChecked()
    desk.key(Qt.Key.Key_Enter)
    assert desk.session.store.crops.get([crop])[0].reviewed


def test_several_selected_images_are_labelled_at_once_and_undone_at_once(desk):
    desk.page.set_queue(Queue.ALL)
    desk.page.queue.grid.select_all()
    desk.key(Qt.Key.Key_O)
    assert desk.counts()["unlabelled"] == 0
    desk.session.undo()
    assert desk.counts()["unlabelled"] == 3


def test_the_photo_and_its_crops_are_read_aside(desk):
    desk.at(4)
    desk.qtbot.waitUntil(lambda: desk.page.stage.photo.has_image)
    tile = desk.page.stage.strip.tiles()[0]
    desk.qtbot.waitUntil(lambda: tile.picture is not None)
    assert tile.picture.pixelColor(60, 60).red() == 160


def test_a_photo_that_is_gone_is_said_in_its_place(desk, tmp_path):
    (tmp_path / "photos" / "5.png").unlink()
    desk.at(5)
    desk.qtbot.waitUntil(lambda: "5.png" in desk.page.stage._state.text())


def test_an_edit_made_elsewhere_is_seen_when_the_page_is_shown_again(desk):
    desk.page.hide()
    crop = desk.session.store.crops.of_image(int(desk.page.book.ids(Queue.ALL)[0]))[0]
    from workbench.app.labels import labelling

    labelling.assign_crops(desk.session, [crop.id], "expression", "open")
    desk.page.show()
    assert desk.counts()["review"] == 2


def test_queue_image_and_marks_survive_a_restart(desk, session, qtbot):
    desk.at(3)
    desk.page.header.toggle_marks()
    state = desk.page.save_state()
    again = Desk(session, qtbot)
    again.page.restore_state(state)
    assert again.image == desk.image
    assert again.page.save_state()["queue"] == "all"
    assert not again.page.header.marks.isChecked()
    again.page.restore_state({"queue": "gone", "image": 999, "sizes": "x", "label": {}})
    again.close()


def test_an_empty_project_says_what_to_do(tmp_path, qtbot):
    opened = Session(Project.create(tmp_path / "empty"))
    desk = Desk(opened, qtbot)
    empty = desk.page.stage.empty
    assert "import" in empty.sentence.text().lower()
    qtbot.mouseClick(empty.button, Qt.MouseButton.LeftButton)
    assert desk.went == [("images", {})]
    desk.close()
    opened.close()


def test_another_landmark_file_is_named_and_a_wrong_one_refused(desk, tmp_path):
    note = desk.page.side.landmarks_note
    assert "non-commercial" in note.text()
    desk.page.finding.use_file(tmp_path / "missing.dat")
    assert desk.said[-1][0] == "bad"
    assert "non-commercial" in note.text()
    (tmp_path / "mine.dat").write_bytes(b"another predictor")
    desk.page.finding.use_file(tmp_path / "mine.dat")
    assert "mine.dat" in note.text()
    assert "non-commercial" not in note.text()


@pytest.mark.shared_data
def test_real_faces_are_found_from_the_page(tmp_path, qtbot):
    group = Path(__file__).parents[3] / "shared" / "data" / "faces" / "group"
    if not group.is_dir():
        pytest.skip("the photographs of ../shared/data are not here")
    from workbench.app.images.importing import import_task
    from workbench.app.jobs import run_here

    opened = Session(Project.create(tmp_path / "group"))
    run_here(import_task(opened, [group / "bald_guys.jpg", group / "dogs.jpg"]))
    desk = Desk(opened, qtbot)
    with qtbot.waitSignal(opened.jobs.ended, timeout=60_000):
        desk.page.finding.find()
    counts = desk.counts()
    assert (counts["several"], counts["missed"], counts["unseen"]) == (1, 1, 0)
    assert any("missed in 1" in text for _, text in desk.said)
    desk.close()
    opened.close()
