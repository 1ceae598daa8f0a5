"""Groups on the Images page with real images: found, reviewed, labelled, undone."""

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import Qt

from workbench.app.similar.clustering import cluster_request
from workbench.domain.clusters import CLUSTERINGS, CLUSTERS_FILE, Clustering
from workbench.domain.images import ImageFilter
from workbench.ui.parts.filter_bar import chips, from_state, to_state

WAIT = 180_000
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def page(weights, window):
    quick = msgspec.structs.replace(CLUSTERINGS["deepcluster"], rounds=1)
    with CLUSTERINGS.temporarily(quick.name, quick):
        yield window.page("images")


@pytest.fixture
def grouped(page):
    """The page with its 24 images in three groups that were made before, and the panel open."""
    store = page.context.session.store
    images = store.images.ids()
    np.savez(
        store.clusterings.folder_of("made") / CLUSTERS_FILE,
        images=images,
        crops=np.full(24, -1),
        clusters=np.repeat([0, 1, 2], [11, 7, 6]),
        confidence=np.random.default_rng(0).random(24, np.float32),
    )
    made = Clustering(id="made", method="iic", start_title="a run", made=1e9, sizes=(11, 7, 6))
    store.clusterings.keep(made)
    page.groups.open()
    assert page.groups.clustering == made
    return page


def members(panel, group, share=1.0):
    return panel._clusters.members(group, share).tolist()


def test_a_group_is_found_labelled_in_one_edit_and_undone(page, qtbot, window):
    qtbot.keyClick(page.grid, Qt.Key.Key_G, CONTROL)
    panel = page.groups
    assert panel.isVisible()
    assert panel.form.start.currentText() == "ImageNet · SqueezeNet 1.1"
    panel.form.count.setValue(3)
    panel.form.button.click()
    assert panel.form.button.text() == "Stop"
    qtbot.waitUntil(lambda: panel._job is None, timeout=WAIT)
    assert panel.clustering is not None, panel.form.status.text()
    assert sum(panel.clustering.sizes) == 24
    assert panel.list.groups[0].title == f"1 · {panel.clustering.sizes[0]} images"
    assert panel.form.status.text().startswith("DeepCluster · 24 images · ")
    assert panel.form.status.toolTip() == "DeepCluster, started from ImageNet · SqueezeNet 1.1"
    assert not panel.labels.button.isEnabled()
    assert len(page.grid.ids()) == 24

    qtbot.keyClick(panel.list, Qt.Key.Key_Down)
    first = members(panel, 0)
    assert sorted(page.grid.ids().tolist()) == sorted(first)
    assert [c.toolTip().split(" –")[0] for c in page.bar._chips] == ["group 1"]
    panel.labels.label.setEditText("small bird")
    assert panel.labels.button.text() == f"Label {len(first)}"
    steps = len(window.session.store.history.entries(50))
    panel.labels.button.click()
    given = window.session.store.labels.of_images(first, "view")
    assert given == dict.fromkeys(first, ("small bird",))
    assert len(window.session.store.history.entries(50)) == steps + 1
    assert panel.list.groups[0].summary == "small bird 100%"
    page.tiles.prepare(page.grid.ids())
    assert page.tiles.badges(first[0])[0][0] == "5"  # the fifth label of the set
    window.undo()
    assert window.session.store.labels.of_images(first, "view") == {}
    assert "small bird" not in window.session.store.labels.get("view").names
    assert panel.list.groups[0].summary == ""


def test_the_most_confident_share_and_a_selection_are_labelled_too(grouped, qtbot, window):
    page, panel = grouped, grouped.groups
    page.header.sets.setCurrentText("category")
    assert panel.list.groups[0].summary.split()[0] in ("egret", "owl", "puffin")
    row = panel.list.row_rect(1).center()
    qtbot.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=row)
    panel.labels.slider.setValue(50)
    half = members(panel, 1, 0.5)
    qtbot.waitUntil(lambda: sorted(page.grid.ids().tolist()) == sorted(half))
    assert len(half) == int(np.ceil(panel.clustering.sizes[1] / 2))
    panel.labels.label.setEditText("owl")
    qtbot.keyClick(panel.labels.label.lineEdit(), Qt.Key.Key_Return)
    assert set(window.session.store.labels.of_images(half, "category").values()) == {("owl",)}

    page.header.sets.setCurrentText("view")
    page.grid.setFocus()
    page.grid.select_all()
    qtbot.keyClick(page.grid, "B")
    assert set(window.session.store.labels.of_images(half, "view").values()) == {("back",)}

    page.bar._chips[0].click()  # all images again: no group is selected
    assert len(page.grid.ids()) == 24
    assert panel.list.current == -1
    assert not panel.labels.button.isEnabled()


def test_groups_are_kept_and_the_panel_closes(grouped, qtbot, window):
    page, panel = grouped, grouped.groups
    made = panel.clustering
    panel.list._choose(2)
    state = page.save_state()
    panel.close_panel()
    assert panel.isHidden()
    assert len(page.grid.ids()) == 24
    panel.clustering = None  # as in a new window
    page.restore_state(state)
    assert not panel.isHidden()
    assert panel.clustering == made
    assert sorted(page.grid.ids().tolist()) == sorted(members(panel, 2))
    window.resize(900, 600)
    assert page.side.isHidden()  # the images keep their room
    window.resize(1600, 700)
    assert not page.side.isHidden()


def test_a_stopped_clustering_can_be_resumed(page, qtbot, window):
    panel = page.groups
    panel.open()
    panel.form.count.setValue(4)
    panel.form.button.click()
    panel.form.button.click()
    qtbot.waitUntil(lambda: panel._job is None, timeout=WAIT)
    assert "resume" in panel.form.status.text()
    assert panel.form.button.text() == "Group"
    assert window.session.store.clusterings.all() == []
    assert panel.labels.isHidden()


def test_without_a_network_the_panel_shows_what_to_do(window, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    panel = window.page("images").groups
    panel.open()
    assert "train a model" in panel.form.status.text()
    assert not panel.form.button.isEnabled()


def test_a_group_has_a_name_among_the_filters():
    wanted = ImageFilter(ids=(3, 4), ids_name="group 2")
    assert from_state(to_state(wanted)) == wanted
    (chip,) = chips(wanted, {})
    assert (chip.text, chip.without) == ("group 2", ImageFilter())
    older = to_state(wanted)
    older["said"] = older.pop("ids_name")
    assert from_state(older) == wanted, "as older versions stored it"


def test_information_is_measured_on_batches_that_hold_every_group(page):
    from workbench.app.similar.features import feature_source

    source = feature_source(page.context.session)
    assert cluster_request(source, "iic", 40).batch == 160
    assert cluster_request(source, "iic", 2).batch == 64
    assert cluster_request(source, "deepcluster", 40).batch == 32
