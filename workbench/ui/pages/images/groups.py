"""Groups: similar images, found by clustering without labels, and labelled together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.jobs import Done, Job, Outcome
from workbench.app.similar.clustering import (
    cluster_label_counts,
    cluster_request,
    cluster_task,
    label_clusters,
)
from workbench.app.similar.features import feature_source, feature_sources
from workbench.domain.changes import Changes
from workbench.domain.clusters import CLUSTERINGS, FEWEST, Clustering, Clusters
from workbench.domain.errors import KnownError
from workbench.domain.images import ImageFilter
from workbench.domain.labels import LabelSet
from workbench.domain.reports import Progress, Report
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.page import Context
from workbench.ui.pages.images.group_list import SAMPLES, Group, GroupList
from workbench.ui.parts.filter_bar import FilterBar
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.run_texts import when

MOST = 1000  # maximum number of groups


class GroupForm(QWidget):
    """Method, number of groups and start weights. `pressed()` is emitted by its one button: start
    the clustering, or stop it while it is running."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.method = QComboBox()
        for name, spec in CLUSTERINGS.items():
            self.method.addItem(tr(spec.title), name)
        about = (f"{tr(spec.title)}: {tr(spec.description)}" for spec in CLUSTERINGS.values())
        self.method.setToolTip(plain_text("\n".join(about)))
        self.count = QSpinBox()
        self.count.setRange(FEWEST, MOST)
        self.count.setValue(10)
        self.count.setPrefix(tr("Groups: "))
        self.start = QComboBox()
        self.start.setToolTip(tr("Start weights of the network"))
        self.start.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.start.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = QPushButton(tr("Group", "verb"))
        self.button.clicked.connect(self.pressed)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.status = PlainLabel()
        self.status.setProperty("role", "caption")
        self.status.setWordWrap(True)
        self._arrange()
        self.show_running(False)

    def _arrange(self) -> None:
        grid = QGridLayout()
        grid.setSpacing(8)
        grid.setColumnStretch(0, 1)
        grid.addWidget(self.method, 0, 0)
        grid.addWidget(self.count, 0, 1)
        below = QHBoxLayout()
        below.setSpacing(8)
        start = QLabel(tr("Weights"))
        start.setProperty("role", "muted")
        below.addWidget(start)
        below.addWidget(self.start, 1)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(grid)
        column.addLayout(below)
        column.addWidget(self.bar)
        column.addWidget(self.status)

    def show_sources(self, sources: Sequence[tuple[str, str]]) -> None:
        """List networks as (name, title); the selected one stays selected."""
        selected = self.start.currentData()
        self.start.clear()
        for name, title in sources:
            self.start.addItem(title, name)
        self.start.setCurrentIndex(max(0, self.start.findData(selected)))
        self.button.setEnabled(bool(sources))

    def show_running(self, running: bool) -> None:
        """Show whether a clustering is running."""
        self.button.setText(tr("Stop") if running else tr("Group", "verb"))
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        for box in (self.method, self.count, self.start):
            box.setEnabled(not running)

    def show_progress(self, done: int, total: int, text: str) -> None:
        """Show progress: `done` of `total` (0: unknown), described by `text`."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.show_status(text)

    def show_status(self, text: str) -> None:
        """Show `text` below the controls; "" hides the line."""
        self.status.setText(text)
        self.status.setVisible(bool(text))


class GroupLabels(QWidget):
    """Labels the selected group: `submitted(label)` is emitted when a label is to be set,
    `share_changed()` when it is to be set for more or fewer images."""

    submitted = Signal(str)
    share_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 100)
        self.slider.setValue(100)
        self.slider.setSingleStep(5)
        self.slider.setToolTip(tr("Share of the group, most confident images first"))
        self.slider.setAccessibleName(self.slider.toolTip())
        self.percent = PlainLabel()
        self.percent.setProperty("role", "muted")
        self.label = QComboBox()
        self.label.setEditable(True)
        self.label.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.label.setMinimumContentsLength(6)
        self.button = QPushButton()
        self.button.setProperty("primary", True)
        self._count = 0
        self._share_timer = QTimer(self, singleShot=True, interval=120)
        self._share_timer.timeout.connect(self.share_changed)
        self.slider.valueChanged.connect(self._show_share)
        self.label.editTextChanged.connect(lambda _: self._update_button())
        self.button.clicked.connect(lambda: self.submitted.emit(self.text()))
        line = self.label.lineEdit()
        if line is not None:
            line.setPlaceholderText(tr("Label"))
            line.returnPressed.connect(self._submit)
        self._arrange()
        self._show_share()
        self.show_count(0)

    def _arrange(self) -> None:
        above, below = QHBoxLayout(), QHBoxLayout()
        for row in (above, below):
            row.setSpacing(8)
        above.addWidget(self.percent)
        above.addWidget(self.slider, 1)
        below.addWidget(self.label, 1)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(above)
        column.addLayout(below)

    @property
    def share(self) -> float:
        """The share of the group to label, in (0, 1]."""
        return self.slider.value() / 100

    def text(self) -> str:
        """The label that is selected or typed."""
        return self.label.currentText().strip()

    def show_set(self, label_set: LabelSet) -> None:
        """List the labels of a set; another one can be typed."""
        names = list(label_set.names)
        if [self.label.itemText(at) for at in range(self.label.count())] != names:
            typed = self.text()
            self.label.clear()
            self.label.addItems(names)
            self.label.setEditText(typed if typed in names else "")
        tip = tr("Label of “{label_set}”, or a new one").format(label_set=label_set.name)
        self.label.setToolTip(plain_text(tip))
        self._update_button()

    def show_count(self, images: int) -> None:
        """Show how many images would be labelled; 0 if no group is selected."""
        self._count = images
        if images:
            self.button.setText(tr("Label {count:,}").format(count=images))
            tip = plural(images, "Label this image", "Label these {n:,} images in one edit")
        else:
            self.button.setText(tr("Label", "verb"))
            tip = tr("Select a group first")
        self.button.setToolTip(tip)
        self._update_button()

    def _update_button(self) -> None:
        self.button.setEnabled(bool(self._count and self.text()))

    def _submit(self) -> None:
        if self.button.isEnabled():
            self.submitted.emit(self.text())

    def _show_share(self) -> None:
        self.percent.setText(tr("Top {percent} %").format(percent=self.slider.value()))
        self._share_timer.start()


WIDTH = 320  # pixels of the panel at first


class GroupPanel(QWidget):
    """A panel beside the grid, hidden until `open()`. The selected group becomes the filter of the
    grid, where its images can be selected and labelled like any others."""

    toggled = Signal()  # the panel was opened or closed

    def __init__(self, context: Context, bar: FilterBar, label_set: str) -> None:
        super().__init__()
        self._context, self._bar, self._set = context, bar, label_set
        self._job: Job[Clustering] | None = None
        self.clustering: Clustering | None = None
        self._clusters: Clusters | None = None
        self._shown: ImageFilter | None = None  # the filter of the selected group
        self.form, self.list, self.labels = GroupForm(), GroupList(context.session), GroupLabels()
        self.form.pressed.connect(self._group_or_stop)
        self.list.chosen.connect(self._select_group)
        self.labels.share_changed.connect(self._update_share)
        self.labels.submitted.connect(self._label_group)
        self.setMinimumWidth(280)
        self._arrange()
        self.hide()

    def _arrange(self) -> None:
        title = QLabel(tr("Groups"))
        title.setProperty("role", "heading")
        close = QToolButton()
        close.setIcon(icon("x", self))
        close.setIconSize(QSize(16, 16))
        close.setToolTip(tr("Close groups"))
        close.clicked.connect(self.close_panel)
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 8, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.form)
        column.addWidget(self.list, 1)
        column.addWidget(self.labels)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 400)

    # what is shown

    def open(self) -> None:
        """Show the panel with the newest clustering of the project."""
        found = feature_sources(self._context.session)
        sources = [(source.name, source.title) for source in found]
        self.form.show_sources(sources)
        if not sources:
            self.form.show_status(
                tr("First train a model or download ImageNet weights on the Train page.")
            )
        if self.clustering is None:
            known = self._context.session.clusterings.all()
            self._show(known[0] if known else None)
        self.show()
        self.list.setFocus()
        self.toggled.emit()

    def close_panel(self) -> None:
        """Hide the panel; if the grid is filtered by a group, clear that filter."""
        self.hide()
        if self._shown is not None and self._bar.filter.ids == self._shown.ids:
            self._bar.set_filter(dataclasses.replace(self._bar.filter, ids=None, ids_name=""))
        self.toggled.emit()

    def _show(self, clustering: Clustering | None) -> None:
        self.clustering = self._clusters = None
        self.list.set_current(-1)
        if clustering is not None:
            with self._context.reporting_errors("warn"):
                self._clusters = self._context.session.clusterings.read(clustering.id)
                self.clustering = clustering
        if self.clustering is not None:
            self.form.count.setValue(len(self.clustering.sizes))
            self._describe(self.clustering)
        self._fill()

    def _describe(self, clustering: Clustering) -> None:
        at = when(clustering.made)
        method, images = tr(CLUSTERINGS[clustering.method].title), sum(clustering.sizes)
        self.form.show_status(
            plural(
                images,
                "{method} · {n:,} image · {time}",
                "{method} · {n:,} images · {time}",
                method=method,
                time=at,
            )
        )
        tip = tr("{method}, started from {network}")
        self.form.status.setToolTip(tip.format(method=method, network=tr(clustering.start_title)))

    def _fill(self) -> None:
        self.labels.setVisible(self.clustering is not None)
        if self.clustering is None or self._clusters is None:
            self.list.show_groups([])
            return
        label_set = self._context.session.labels.get(self._set)
        self.labels.show_set(label_set)
        table = cluster_label_counts(self._context.session, self._clusters, self._set)
        groups = []
        for at, size in enumerate(self.clustering.sizes):
            if size:
                samples = tuple(self._clusters.members(at)[:SAMPLES].tolist())
                row = table[at]
                most = int(row[:-1].argmax()) if len(row) > 1 else 0
                summary = ""
                if len(row) > 1 and row[most]:
                    summary = f"{label_set.names[most]} {row[most] / max(1, row.sum()):.0%}"
                title = plural(
                    size, "{number} · {n:,} image", "{number} · {n:,} images", number=at + 1
                )
                groups.append(Group(title, summary, samples))
        self.list.show_groups(groups)
        self._show_count()

    def _show_count(self) -> None:
        self.labels.show_count(self._images() if self.list.current >= 0 else 0)

    def _images(self) -> int:
        shown = self._shown
        return 0 if shown is None or shown.ids is None else len(shown.ids)

    def show_set(self, name: str) -> None:
        """Label groups in another label set."""
        self._set = name
        self._fill()

    def refresh(self, changes: Changes) -> None:
        """Update the most frequent labels after an edit."""
        if not self.isHidden() and (changes.labelled or changes.label_sets):
            self._fill()

    def follow(self) -> None:
        """Deselect the group if the filter bar no longer filters by it."""
        if self._shown is not None and self._bar.filter.ids != self._shown.ids:
            self._shown = None
            self.list.set_current(-1)
            self._show_count()

    # actions

    def _select_group(self, group: int) -> None:
        if self._clusters is None:
            return
        images = self._clusters.members(group, self.labels.share)
        title = (
            tr("group {number}")
            if self.labels.share == 1
            else tr("group {number}, top {share:.0%}")
        )
        self._shown = dataclasses.replace(
            self._bar.filter,
            ids=tuple(images.tolist()),
            ids_name=title.format(number=group + 1, share=self.labels.share),
            similar=None,
        )
        self._bar.set_filter(self._shown)
        self._show_count()

    def _update_share(self) -> None:
        if self.list.current >= 0:
            self._select_group(self.list.current)

    def _label_group(self, label: str) -> None:
        group = self.list.current
        if group < 0 or self._clusters is None:
            return
        session, share = self._context.session, self.labels.share
        with self._context.reporting_errors("warn"):
            count = label_clusters(session, self._clusters, self._set, {group: label}, share)
            message = plural(
                count,
                "{n:,} image labelled “{label}”. Undo to revert.",
                "{n:,} images labelled “{label}”. Undo to revert.",
                label=label,
            )
            self._context.notify(message, "info")

    def _group_or_stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            return
        session, form = self._context.session, self.form
        try:
            source = feature_source(session, form.start.currentData() or "")
            request = cluster_request(source, form.method.currentData(), form.count.value())
        except KnownError as error:
            form.show_status(tr(error.message))
            return
        self._job = session.start(
            cluster_task(session, source, request), reported=self._show_progress, ended=self._finish
        )
        form.show_running(True)
        form.show_status(tr("Starting…"))

    def _show_progress(self, report: Report) -> None:
        if isinstance(report, Progress):
            left = ""
            if report.eta is not None:
                left = tr("{time} left").format(time=clock(report.eta))
            text = " · ".join(part for part in (tr(report.text), left) if part)
            self.form.show_progress(report.done, report.total, text)

    def _finish(self, outcome: Outcome[Clustering]) -> None:
        self._job = None
        self.form.show_running(False)
        if isinstance(outcome, Done):
            self._clear_filter()
            self._show(outcome.value)
        elif self.clustering is not None:
            self._describe(self.clustering)
        else:
            self.form.show_status(tr("Stopped. Start again with the same settings to resume."))

    def _clear_filter(self) -> None:
        if self._shown is not None:
            self._bar.set_filter(dataclasses.replace(self._bar.filter, ids=None, ids_name=""))

    def closing(self) -> None:
        """End the threads that read samples."""
        self.list.close_reader()
