"""The queues of the Mouths page and their tiles: order, counts, neighbours, badges, pictures."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from tests.fixtures.finished_runs import fill
from tests.fixtures.page_host import PageHost
from workbench.app.mouths.mouth_queues import MouthQueues
from workbench.domain.crops import Crop, CropState, Queue
from workbench.domain.geometry import Rect
from workbench.ui.look.theme import LIGHT
from workbench.ui.pages.mouths.queue import (
    LONGEST,
    MouthQueue,
    MouthTiles,
    empty_text,
    queue_entries,
)


@pytest.fixture
def images(session, tmp_path):
    return fill(session.store, tmp_path / "photos")


@pytest.fixture
def crops(session, images):
    """Of four images: a smile, two faces, one missed, one rejected; the rest is not searched."""
    with session.edit("Find mouths"):
        saved = [
            session.store.crops.save(crop)
            for crop in (
                Crop(None, images[0], 0, CropState.FOUND, Rect(0, 0, 12, 10)),
                Crop(None, images[1], 1, CropState.FOUND, Rect(10, 4, 20, 14)),
                Crop(None, images[1], 0, CropState.REJECTED, Rect(0, 4, 10, 14)),
                Crop(None, images[1], 2, CropState.FOUND, Rect(20, 4, 30, 14)),
                Crop(None, images[2], 0, CropState.MISSED, reason="no face was found"),
                Crop(None, images[3], 0, CropState.REJECTED, Rect(0, 0, 9, 9), reviewed=True),
            )
        ]
        session.store.labels.assign_crops([saved[0].id, saved[1].id], "expression", "smile")
        session.store.labels.assign_crops([saved[3].id], "expression", "open")
    return saved


@pytest.fixture
def queues(session, crops):
    return MouthQueues(session)


@pytest.fixture
def queue(qtbot, session, queues):
    host = PageHost(session)
    tiles = MouthTiles(host.context, queues)
    made = MouthQueue(tiles)
    qtbot.addWidget(made)
    made.set_entries(queue_entries(queues))
    made.resize(300, 700)
    made.show()
    yield made
    tiles.close()
    host.close()


def test_fixed_queues_come_first_then_one_for_each_label(queue, queues):
    entries = queue_entries(queues)
    names = queues.label_set.names
    assert [entry.queue for entry in entries[:7]] == [
        Queue.ALL,
        Queue.UNSEEN,
        Queue.REVIEW,
        Queue.MISSED,
        Queue.SEVERAL,
        Queue.REJECTED,
        Queue.UNLABELLED,
    ]
    assert {entry.label for entry in entries[:7]} == {-1}
    assert [(entry.title, entry.label) for entry in entries[7:]] == list(
        zip(names, range(len(names)), strict=True)
    )
    rows = list(queue.rows().values())
    assert [row.entry for row in rows] == entries
    heights = [row.mapTo(queue, row.rect().topLeft()).y() for row in rows]
    assert heights == sorted(heights)
    queue.set_entries(entries[:3])
    assert len(queue.rows()) == 3


def test_counts_are_shown_and_default_to_none(queue):
    queue.show_counts({(Queue.ALL, -1): 1234, (Queue.LABELLED, 1): 2})
    rows = queue.rows()
    assert rows[Queue.ALL, -1].count == 1234
    assert rows[Queue.LABELLED, 1].count == 2
    assert rows[Queue.ALL, -1].accessibleName() == "All images: 1234"
    queue.show_counts({})
    assert {row.count for row in rows.values()} == {0}


def test_a_click_chooses_a_queue(qtbot, queue):
    heard = []
    queue.queue_chosen.connect(lambda *what: heard.append(what))
    rows = queue.rows()
    qtbot.mouseClick(rows[Queue.MISSED, -1], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(rows[Queue.LABELLED, 2], Qt.MouseButton.LeftButton)
    assert heard == [(Queue.MISSED, -1), (Queue.LABELLED, 2)]
    queue.choose(Queue.ALL)
    assert [key for key, row in rows.items() if row.isChecked()] == [(Queue.ALL, -1)]
    queue.choose(Queue.LABELLED, 99)
    assert rows[Queue.ALL, -1].isChecked()


def test_neighbours_end_with_the_queue(queue):
    queue.show_ids(np.array([7, 3, 9, 5], np.int64), keep_position=False)
    assert [queue.position(image) for image in (7, 5, 4, None)] == [0, 3, -1, -1]
    assert queue.neighbour(7, 1) == 3
    assert queue.neighbour(5, 1) is None
    assert queue.neighbour(7, -1) is None
    assert queue.neighbour(3, -1) == 7
    assert queue.neighbour(None, 1) == 7
    assert queue.around(3) == [9, 5, 7]
    assert queue.around(7) == [3, 9]
    assert queue.around(5) == [9]


def test_an_empty_queue_says_why(session, queues, tmp_path):
    assert empty_text(queues, Queue.UNSEEN) == ("All images have been searched.", "")
    assert empty_text(queues, Queue.REVIEW) == ("All mouths are reviewed.", "")
    assert empty_text(queues, Queue.UNLABELLED) == ("All mouths are labelled.", "")
    assert empty_text(queues, Queue.SEVERAL) == ("No images in this queue.", "")
    assert empty_text(queues, Queue.ALL) == ("No images in this queue.", "")


def test_a_project_without_images_or_mouths_says_what_to_do(session, tmp_path):
    assert empty_text(MouthQueues(session), Queue.REVIEW)[1] == "Import images"
    fill(session.store, tmp_path / "photos")
    found = MouthQueues(session)
    assert empty_text(found, Queue.REVIEW)[1] == "Find mouths"
    assert empty_text(found, Queue.UNSEEN)[1] == ""


def test_tiles_have_the_labels_and_the_number_of_their_mouths(queue, images):
    tiles = queue.grid.tiles
    tiles.prepare(np.array(images[:5]))
    badges = [[text for text, _ in tiles.badges(image)] for image in images[:5]]
    assert badges == [["S"], ["S", "O", "2 ☺"], ["–"], ["×"], []]
    assert tiles.badges(images[2]) == [("–", LIGHT.warn)]
    assert tiles.badges(images[3]) == [("×", LIGHT.line)]
    assert tiles.caption(images[1]) == "bird 01.png"
    assert tiles.caption(images[9]) == ""


def test_a_tile_shows_the_largest_mouth_that_is_not_rejected(qtbot, queue, images):
    tiles = queue.grid.tiles
    ready = []
    tiles.ready.connect(ready.append)
    wanted = np.array([images[1], images[3], images[2]], np.int64)
    queue.show_ids(wanted, keep_position=False)
    qtbot.waitUntil(lambda: set(ready) >= set(wanted.tolist()))
    assert tiles._main(images[1]).face == 1
    assert tiles._main(images[3]).state is CropState.REJECTED
    assert tiles._main(images[2]) is None
    for image in (images[1], images[3]):
        assert tiles.thumbnail(image).size().toTuple() == (LONGEST, LONGEST)
    picture = tiles.thumbnail(images[2])
    assert (picture.width(), picture.height()) == (32, 24)


def test_what_was_read_of_an_image_is_dropped(session, queue, images, crops):
    tiles = queue.grid.tiles
    tiles.prepare(np.array(images[:3]))
    with session.edit("Label"):
        session.store.labels.assign_crops([crops[0].id], "expression", "open")
    tiles.prepare(np.array(images[:3]))
    assert [text for text, _ in tiles.badges(images[0])] == ["S"]
    ready, altered = [], []
    tiles.ready.connect(ready.append)
    tiles.altered.connect(lambda: altered.append(1))
    tiles.forget([images[0]])
    assert (ready, altered) == ([images[0]], [1])
    assert tiles.badges(images[0]) == []
    assert tiles.caption(images[0]) == ""
    tiles.prepare(np.array(images[:3]))
    assert [text for text, _ in tiles.badges(images[0])] == ["O"]
    tiles.forget()
    assert sorted(ready[1:]) == sorted(images[:3])
    assert tiles.caption(images[1]) == ""
