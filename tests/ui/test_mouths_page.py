"""The Mouths page on a real project: queues, keys, boxes, misses, undo, and a restart."""

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
from workbench.domain.text import use_language
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


class Host:
    """The page on a project; records its notifications and the pages it went to."""

    def __init__(self, session, qtbot):
        self.notes, self.went = [], []
        self.thumbnails = ThumbnailLoader(session)
        self.page = MouthsPage(
            Context(
                session,
                None,
                None,
                self.thumbnails,
                lambda name, **what: self.went.append((name, what)),
                lambda text, kind: self.notes.append((kind, text)),
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
        return self.page.model.image

    def at(self, number):
        """Go to the image whose file is called `number`.png."""
        self.page.set_queue(Queue.ALL)
        self.page.queue.grid.set_current(int(self.page.queues.ids(Queue.ALL)[number]))

    def counts(self):
        rows = self.page.queue.rows()
        return {queue.value: row.count for (queue, label), row in rows.items() if label < 0}

    def label_of(self, crop_id):
        found = self.session.store.labels.of_crops([crop_id], "expression")
        return found[crop_id][0] if found else None

    def advance(self):
        before = (self.image, self.page.model.current)
        self.qtbot.waitUntil(lambda: (self.image, self.page.model.current) != before)


@pytest.fixture
def host(session, qtbot):
    made = Host(session, qtbot)
    yield made
    made.close()


def test_it_opens_on_mouths_to_review_and_counts_every_queue(host):
    assert host.counts() == {
        "all": 6, "unseen": 1, "review": 3, "missed": 1, "several": 1, "rejected": 1,
        "unlabelled": 3,
    }  # fmt: skip
    assert host.page.save_state()["queue"] == "review"
    assert "found by cascade" in host.page.stage._state.text()


def test_a_key_labels_the_mouth(host):
    first = host.page.model.current
    host.key(Qt.Key.Key_S)
    assert host.label_of(first) == "smile"
    assert [b.label for b in host.page.side.keys.buttons if b.assigned] == ["smile"]
    host.advance()
    host.key(Qt.Key.Key_1)
    assert host.label_of(first) == "smile"
    assert host.counts()["review"] == 1


def test_keys_struck_faster_than_the_flash_go_to_one_mouth_each(host):
    crops = [
        crop.id
        for image in host.page.queues.ids(Queue.REVIEW)
        for crop in host.session.store.crops.of_image(int(image))
    ]
    for key in (Qt.Key.Key_N, Qt.Key.Key_P, Qt.Key.Key_S, Qt.Key.Key_O, Qt.Key.Key_2):
        host.key(key)
    labels = [host.label_of(crop) for crop in crops]
    assert labels == ["none", "pouting", "smile", "open", "pouting"]


def test_backspace_clears_a_label_and_stays(host):
    host.at(0)
    crop = host.page.model.current
    host.page.label("open")
    host.page.step(-1)
    host.at(0)
    host.page.clear_label()
    assert host.label_of(crop) is None
    assert host.page.model.current == crop


def test_accept_and_reject_go_to_the_next_mouth(host):
    first, second = [int(i) for i in host.page.queues.ids(Queue.REVIEW)[:2]]
    host.page.accept()
    host.advance()
    assert host.image == second
    host.key(Qt.Key.Key_Delete)
    (one,) = host.session.store.crops.of_image(first)
    (two,) = host.session.store.crops.of_image(second)
    assert (one.state, one.reviewed) == (CropState.FOUND, True)
    assert (two.state, two.reviewed) == (CropState.REJECTED, True)
    assert host.counts()["rejected"] == 2


def test_faces_of_a_group_are_shown_one_by_one(host):
    host.at(0)
    assert [tile.accessibleName() for tile in host.page.stage.strip.tiles()] == ["found"]
    host.at(3)
    names = [tile.accessibleName() for tile in host.page.stage.strip.tiles()]
    assert names == ["1 · found", "2 · found", "3 · found"]
    faces = host.page.model.faces()
    assert [tile.face.number for tile in host.page.stage.strip.tiles()] == [1, 2, 3]
    host.page.model.step(1)
    assert host.page.model.current == faces[1]
    host.qtbot.mouseClick(host.page.stage.strip.tiles()[2], Qt.MouseButton.LeftButton)
    assert host.page.model.current == faces[2]
    host.page.model.keep_only()
    states = [crop.state for crop in host.session.store.crops.of_image(host.image)]
    assert states == [CropState.REJECTED, CropState.REJECTED, CropState.FOUND]
    assert host.counts()["several"] == 0


def test_a_box_moved_by_hand_is_adjusted_and_undone(host):
    host.at(0)
    crop = host.page.model.crop()
    host.page.stage.view.adjusted.emit(crop.id, Rect(22, 55, 62, 95))
    stored = host.session.store.crops.get([crop.id])[0]
    assert (stored.state, stored.rect) == (CropState.ADJUSTED, Rect(22, 55, 62, 95))
    host.session.undo()
    assert host.page.model.crop().rect == crop.rect
    assert host.page.model.crop().state is CropState.FOUND


def test_keys_nudge_and_resize_the_box_inside_the_image(host):
    host.at(0)
    before = host.page.model.crop().rect
    host.page.nudge_right()
    moved = host.page.model.crop().rect
    assert (moved.left, moved.width) == (before.left + 1, before.width)
    for _ in range(60):
        host.page.larger()
    largest = host.page.model.crop().rect
    assert largest.width == largest.height == HEIGHT
    assert largest.left >= 0
    assert largest.right <= WIDTH


def test_a_miss_shows_why_and_a_box_is_drawn_by_hand(host):
    host.page.set_queue(Queue.MISSED)
    assert "no face was found" in host.page.stage._state.text()
    host.key(Qt.Key.Key_S)
    assert host.notes[-1][0] == "warn"
    host.page.stage.view.drawn.emit(Rect(30, 30, 70, 70))
    assert host.page.model.crop().rect == Rect(30, 30, 70, 70)
    host.key(Qt.Key.Key_S)
    assert host.label_of(host.page.model.current) == "smile"
    assert host.counts()["missed"] == 0


def test_escape_cancels_drawing_and_enter_accepts(host):
    host.at(0)
    crop = host.page.model.current
    host.qtbot.mouseClick(host.page.side.buttons["draw"], Qt.MouseButton.LeftButton)
    assert host.page.stage.view.drawing
    host.key(Qt.Key.Key_Escape)
    assert not host.page.stage.view.drawing
    assert not host.page.side.buttons["draw"].isChecked()
    host.key(Qt.Key.Key_Enter)
    assert host.session.store.crops.get([crop])[0].reviewed


def test_several_selected_images_are_labelled_at_once_and_undone_at_once(host):
    host.page.set_queue(Queue.ALL)
    host.page.queue.grid.select_all()
    host.key(Qt.Key.Key_O)
    assert host.counts()["unlabelled"] == 0
    host.session.undo()
    assert host.counts()["unlabelled"] == 3


def test_the_image_and_its_crops_are_read_in_the_background(host):
    host.at(4)
    host.qtbot.waitUntil(lambda: host.page.stage.view.has_image)
    tile = host.page.stage.strip.tiles()[0]
    host.qtbot.waitUntil(lambda: tile.image is not None)
    assert tile.image.pixelColor(60, 60).red() == 160


def test_a_missing_image_is_replaced_by_a_message(host, tmp_path):
    (tmp_path / "photos" / "5.png").unlink()
    host.at(5)
    host.qtbot.waitUntil(lambda: "5.png" in host.page.stage._state.text())


def test_the_reason_of_a_missing_image_can_be_translated(host, tmp_path):
    (tmp_path / "photos" / "5.png").unlink()
    texts = []
    use_language(lambda text, _comment, _n: texts.append(text) or text)
    try:
        host.at(5)
        host.qtbot.waitUntil(lambda: "5.png" in host.page.stage._state.text())
    finally:
        use_language(None)
    assert not any("5.png" in text for text in texts), "the file is a value, not part of the text"


def test_an_edit_made_elsewhere_is_seen_when_the_page_is_shown_again(host):
    host.page.hide()
    crop = host.session.store.crops.of_image(int(host.page.queues.ids(Queue.ALL)[0]))[0]
    from workbench.app.labels import labelling

    labelling.assign_crops(host.session, [crop.id], "expression", "open")
    host.page.show()
    assert host.counts()["review"] == 2


def test_queue_image_and_marks_survive_a_restart(host, session, qtbot):
    host.at(3)
    host.page.header.toggle_marks()
    state = host.page.save_state()
    again = Host(session, qtbot)
    again.page.restore_state(state)
    assert again.image == host.image
    assert again.page.save_state()["queue"] == "all"
    assert not again.page.header.marks.isChecked()
    again.page.restore_state({"queue": "gone", "image": 999, "sizes": "x", "label": {}})
    again.close()


def test_an_empty_project_shows_what_to_do(tmp_path, qtbot):
    opened = Session(Project.create(tmp_path / "empty"))
    host = Host(opened, qtbot)
    empty = host.page.stage.empty
    assert "import" in empty.sentence.text().lower()
    qtbot.mouseClick(empty.button, Qt.MouseButton.LeftButton)
    assert host.went == [("images", {})]
    host.close()
    opened.close()


def test_another_landmark_file_is_named_and_a_wrong_one_refused(host, tmp_path):
    note = host.page.side.landmarks_note
    assert "non-commercial" in note.text()
    host.page.finding.use_file(tmp_path / "missing.dat")
    assert host.notes[-1][0] == "bad"
    assert "non-commercial" in note.text()
    (tmp_path / "mine.dat").write_bytes(b"another predictor")
    host.page.finding.use_file(tmp_path / "mine.dat")
    assert "mine.dat" in note.text()
    assert "non-commercial" not in note.text()
    (tmp_path / "mine.dat").unlink()
    host.page.finding.report_file()
    assert "does not exist. <a" in " ".join(note.text().split())


@pytest.mark.shared_data
def test_real_faces_are_found_from_the_page(tmp_path, qtbot):
    group = Path(__file__).parents[3] / "shared" / "data" / "faces" / "group"
    if not group.is_dir():
        pytest.skip("the photographs of ../shared/data are not here")
    from workbench.app.images.importing import import_task
    from workbench.app.jobs import run_here

    opened = Session(Project.create(tmp_path / "group"))
    run_here(import_task(opened, [group / "bald_guys.jpg", group / "dogs.jpg"]))
    host = Host(opened, qtbot)
    with qtbot.waitSignal(opened.jobs.ended, timeout=60_000):
        host.page.finding.find()
    counts = host.counts()
    assert (counts["several"], counts["missed"], counts["unseen"]) == (1, 1, 0)
    assert any("missed in 1" in text for _, text in host.notes)
    host.close()
    opened.close()


@pytest.mark.parametrize(
    ("name", "moved"),
    [
        ("nudge_left", (-1, 0, 0)),
        ("nudge_right", (1, 0, 0)),
        ("nudge_up", (0, -1, 0)),
        ("nudge_down", (0, 1, 0)),
        ("larger", (-1, -1, 2)),
        ("smaller", (1, 1, -2)),
    ],
)
def test_commands_move_and_scale_the_current_box(host, name, moved):
    host.at(0)
    before = host.page.model.crop().rect
    getattr(host.page, name)()
    after = host.page.model.crop().rect
    assert (after.left - before.left, after.top - before.top) == moved[:2]
    assert after.width - before.width == after.height - before.height == moved[2]


def test_arrows_go_through_the_queue_and_say_where_it_ends(host):
    host.page.set_queue(Queue.ALL)
    images = [int(image) for image in host.page.queues.ids(Queue.ALL)]
    host.page.show_previous()
    assert (host.image, host.notes) == (images[0], [])
    for image in images[1:]:
        host.page.show_next()
        assert host.image == image
    host.page.show_next()
    assert host.image == images[-1]
    assert host.notes == [("info", "This is the last image of the queue.")]
    host.page.show_previous()
    assert host.image == images[-2]


def test_faces_are_gone_through_in_both_directions_around_the_ends(host):
    host.at(3)
    faces = host.page.model.faces()
    for go, at in (
        (host.page.next_face, 1),
        (host.page.previous_face, 0),
        (host.page.previous_face, 2),
        (host.page.next_face, 0),
    ):
        go()
        assert host.page.model.current == faces[at]


def test_marks_are_hidden_and_shown_by_their_command(host):
    host.at(0)
    shown = host.page.stage.view.grab().toImage()
    host.page.toggle_marks()
    assert host.page.stage.view.grab().toImage() != shown
    host.page.toggle_marks()
    assert host.page.stage.view.grab().toImage() == shown


def test_the_page_shows_the_queue_or_images_it_is_asked_for(host):
    images = [int(image) for image in host.page.queues.ids(Queue.ALL)]
    host.page.show_target(queue="missed")
    assert (host.page.save_state()["queue"], host.image) == ("missed", images[2])
    host.page.show_target(ids=(images[4], images[1]))
    assert (host.page.save_state()["queue"], host.image) == ("all", images[4])
    host.page.show_target()
    assert host.image == images[4]


def test_an_edit_elsewhere_shows_the_image_it_touched(host):
    host.page.set_queue(Queue.ALL)
    images = [int(image) for image in host.page.queues.ids(Queue.ALL)]
    (crop,) = host.session.store.crops.of_image(images[1])
    from workbench.app.labels import labelling

    labelling.assign_crops(host.session, [crop.id], "expression", "open")
    assert host.image == images[1]


def test_commands_need_an_image_and_unsearched_ones(host):
    assert host.page.has_image()
    assert host.page.can_find()
    host.page.set_queue(Queue.LABELLED, 0)
    assert not host.page.has_image()
    host.page.show_next()
    assert host.notes == []


def test_labels_of_other_keys_are_left_to_the_window(host):
    host.at(0)
    crop = host.page.model.current
    host.qtbot.keyClick(host.page, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert host.label_of(crop) is None
    host.qtbot.keyClick(host.page, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)
    assert host.label_of(crop) == "smile"
