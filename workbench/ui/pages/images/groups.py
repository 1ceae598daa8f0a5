"""Groups: images that look alike, found without labels, reviewed and labelled as a whole."""

from __future__ import annotations

import dataclasses
import time
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
from workbench.domain.reports import Progress
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.page import Context
from workbench.ui.pages.images.group_list import SAMPLES, Group, GroupList
from workbench.ui.parts.filter_bar import FilterBar
from workbench.ui.parts.job_line import clock

MOST = 1000


class GroupForm(QWidget):
    """`pressed()` is its one button: group, or stop while a grouping is under way."""

    pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.method = QComboBox()
        for name, spec in CLUSTERINGS.items():
            self.method.addItem(spec.title, name)
        said = (f"{spec.title} {spec.words}" for spec in CLUSTERINGS.values())
        self.method.setToolTip("; ".join(said))
        self.count = QSpinBox()
        self.count.setRange(FEWEST, MOST)
        self.count.setValue(10)
        self.count.setSuffix(tr(" groups"))
        self.start = QComboBox()
        self.start.setToolTip(tr("The network that learns them: where it starts"))
        self.start.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.start.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button = QPushButton(tr("Group"))
        self.button.clicked.connect(self.pressed)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = QLabel()
        self.words.setProperty("role", "caption")
        self.words.setWordWrap(True)
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
        start = QLabel(tr("from"))
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
        column.addWidget(self.words)

    def show_sources(self, sources: Sequence[tuple[str, str]]) -> None:
        """Networks as (name, words); what was chosen stays."""
        kept = self.start.currentData()
        self.start.clear()
        for name, words in sources:
            self.start.addItem(words, name)
        self.start.setCurrentIndex(max(0, self.start.findData(kept)))
        self.button.setEnabled(bool(sources))

    def show_running(self, running: bool) -> None:
        """Whether a grouping is under way."""
        self.button.setText(tr("Stop") if running else tr("Group"))
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        for box in (self.method, self.count, self.start):
            box.setEnabled(not running)

    def show_progress(self, done: int, total: int, words: str) -> None:
        """How far it is, of `total` (0: unknown)."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.say(words)

    def say(self, words: str) -> None:
        """A line below."""
        self.words.setText(words)
        self.words.setVisible(bool(words))


class GroupLabels(QWidget):
    """`given(label)` asks for a label; `share_changed()` tells that more or fewer images count."""

    given = Signal(str)
    share_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 100)
        self.slider.setValue(100)
        self.slider.setSingleStep(5)
        self.slider.setAccessibleName(tr("Share of the group, the surest images first"))
        self.surest = QLabel()
        self.surest.setProperty("role", "muted")
        self.label = QComboBox()
        self.label.setEditable(True)
        self.label.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.label.setMinimumContentsLength(6)
        self.button = QPushButton()
        self.button.setProperty("primary", True)
        self._count = 0
        self._settled = QTimer(self, singleShot=True, interval=120)
        self._settled.timeout.connect(self.share_changed)
        self.slider.valueChanged.connect(self._moved)
        self.label.editTextChanged.connect(lambda _: self._can())
        self.button.clicked.connect(lambda: self.given.emit(self.text()))
        line = self.label.lineEdit()
        if line is not None:
            line.setPlaceholderText(tr("label"))
            line.returnPressed.connect(self._entered)
        self._arrange()
        self._moved()
        self.show_count(0)

    def _arrange(self) -> None:
        above, below = QHBoxLayout(), QHBoxLayout()
        for row in (above, below):
            row.setSpacing(8)
        above.addWidget(self.surest)
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
        """In (0, 1]."""
        return self.slider.value() / 100

    def text(self) -> str:
        """The label that is chosen or typed."""
        return self.label.currentText().strip()

    def show_set(self, label_set: LabelSet) -> None:
        """The labels to choose from; another one can be typed."""
        names = list(label_set.names)
        if [self.label.itemText(at) for at in range(self.label.count())] != names:
            typed = self.text()
            self.label.clear()
            self.label.addItems(names)
            self.label.setEditText(typed if typed in names else "")
        self.label.setToolTip(tr("A label of {0}, or a new one").format(label_set.name))
        self._can()

    def show_count(self, images: int) -> None:
        """How many images would get the label; 0 where no group is chosen."""
        self._count = images
        self.button.setText(tr("Label {0:,}").format(images) if images else tr("Label"))
        words = tr("Give these {0:,} images the label, as one edit").format(images)
        self.button.setToolTip(words if images else tr("Choose a group first"))
        self._can()

    def _can(self) -> None:
        self.button.setEnabled(bool(self._count and self.text()))

    def _entered(self) -> None:
        if self.button.isEnabled():
            self.given.emit(self.text())

    def _moved(self) -> None:
        self.surest.setText(tr("surest {0} %").format(self.slider.value()))
        self._settled.start()


WIDTH = 320


class GroupPanel(QWidget):
    """Stands beside the grid, hidden until `open()`. The group that is clicked is the filter bar's:
    its images are seen, selected and labelled in the grid like any others."""

    toggled = Signal()  # it was opened or closed

    def __init__(self, context: Context, bar: FilterBar, label_set: str) -> None:
        super().__init__()
        self._context, self._bar, self._set = context, bar, label_set
        self._job: Job[Clustering] | None = None
        self.made: Clustering | None = None
        self._clusters: Clusters | None = None
        self._shown: ImageFilter | None = None
        self.form, self.list, self.labels = GroupForm(), GroupList(context.session), GroupLabels()
        self.form.pressed.connect(self._group_or_stop)
        self.list.chosen.connect(self._choose)
        self.labels.share_changed.connect(self._share_again)
        self.labels.given.connect(self._label)
        self.setMinimumWidth(280)
        self._arrange()
        self.hide()

    def _arrange(self) -> None:
        title = QLabel(tr("Groups"))
        title.setProperty("role", "heading")
        close = QToolButton()
        close.setIcon(icon("x", self))
        close.setIconSize(QSize(16, 16))
        close.setToolTip(tr("Close the groups"))
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
        """Show the panel with the newest groups there are."""
        sources = [(one.name, one.title) for one in feature_sources(self._context.session)]
        self.form.show_sources(sources)
        if not sources:
            words = tr("Train a run, or download ImageNet weights on the Train page, first.")
            self.form.say(words)
        if self.made is None:
            known = self._context.session.clusterings.all()
            self._show(known[0] if known else None)
        self.show()
        self.list.setFocus()
        self.toggled.emit()

    def close_panel(self) -> None:
        """Hide it; the grid shows all images again where a group was chosen."""
        self.hide()
        if self._shown is not None and self._bar.filter.ids == self._shown.ids:
            self._bar.set_filter(dataclasses.replace(self._bar.filter, ids=None, said=""))
        self.toggled.emit()

    def _show(self, made: Clustering | None) -> None:
        self.made = self._clusters = None
        self.list.set_current(-1)
        if made is not None:
            with self._context.reporting_errors("warn"):
                self._clusters = self._context.session.clusterings.read(made.id)
                self.made = made
        if self.made is not None:
            self.form.count.setValue(len(self.made.sizes))
            self._say_made(self.made)
        self._fill()

    def _say_made(self, made: Clustering) -> None:
        at = time.strftime("%d %b %H:%M", time.localtime(made.made))
        method, images = CLUSTERINGS[made.method].title, sum(made.sizes)
        self.form.say(tr("{0} · {1:,} images · {2}").format(method, images, at))
        self.form.words.setToolTip(tr("{0} from {1}").format(method, made.words))

    def _fill(self) -> None:
        self.labels.setVisible(self.made is not None)
        if self.made is None or self._clusters is None:
            self.list.show_groups([])
            return
        label_set = self._context.session.labels.get(self._set)
        self.labels.show_set(label_set)
        table = cluster_label_counts(self._context.session, self._clusters, self._set)
        groups = []
        for at, size in enumerate(self.made.sizes):
            if size:
                samples = tuple(self._clusters.members(at)[:SAMPLES].tolist())
                row = table[at]
                most = int(row[:-1].argmax()) if len(row) > 1 else 0
                words = ""
                if len(row) > 1 and row[most]:
                    words = f"{label_set.names[most]} {row[most] / max(1, row.sum()):.0%}"
                title = tr("{0} · {1:,} images").format(at + 1, size)
                groups.append(Group(title, words, samples))
        self.list.show_groups(groups)
        self._tell()

    def _tell(self) -> None:
        self.labels.show_count(self._images() if self.list.current >= 0 else 0)

    def _images(self) -> int:
        shown = self._shown
        return 0 if shown is None or shown.ids is None else len(shown.ids)

    def show_set(self, name: str) -> None:
        """The label set whose labels are given."""
        self._set = name
        self._fill()

    def refresh(self, changes: Changes) -> None:
        """Follow an edit: labels stand beside the groups."""
        if not self.isHidden() and (changes.labelled or changes.label_sets):
            self._fill()

    def follow(self) -> None:
        """The filter bar may ask for something else than the chosen group."""
        if self._shown is not None and self._bar.filter.ids != self._shown.ids:
            self._shown = None
            self.list.set_current(-1)
            self._tell()

    # what is done

    def _choose(self, group: int) -> None:
        if self._clusters is None:
            return
        images = self._clusters.members(group, self.labels.share)
        said = tr("group {0}").format(group + 1)
        if self.labels.share < 1:
            said = tr("{0}, surest {1:.0%}").format(said, self.labels.share)
        wanted = dataclasses.replace(
            self._bar.filter, ids=tuple(images.tolist()), said=said, similar=None
        )
        self._shown = wanted
        self._bar.set_filter(wanted)
        self._tell()

    def _share_again(self) -> None:
        if self.list.current >= 0:
            self._choose(self.list.current)

    def _label(self, label: str) -> None:
        group = self.list.current
        if group < 0 or self._clusters is None:
            return
        session, share = self._context.session, self.labels.share
        with self._context.reporting_errors("warn"):
            count = label_clusters(session, self._clusters, self._set, {group: label}, share)
            words = tr("{0:,} images labelled {1}. Undo takes it back.")
            self._context.notify(words.format(count, label), "info")

    def _group_or_stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            return
        session, form = self._context.session, self.form
        try:
            source = feature_source(session, form.start.currentData() or "")
            order = cluster_request(source, form.method.currentData(), form.count.value())
        except KnownError as error:
            form.say(tr(error.message))
            return
        self._job = session.start(
            cluster_task(session, source, order), reported=self._heard, ended=self._over
        )
        form.show_running(True)
        form.say(tr("Starting…"))

    def _heard(self, report: object) -> None:
        if isinstance(report, Progress):
            left = tr("{0} left").format(clock(report.eta)) if report.eta is not None else ""
            words = " · ".join(part for part in (tr(report.text), left) if part)
            self.form.show_progress(report.done, report.total, words)

    def _over(self, outcome: Outcome[Clustering]) -> None:
        self._job = None
        self.form.show_running(False)
        if isinstance(outcome, Done):
            self.close_group()
            self._show(outcome.value)
        elif self.made is not None:
            self._say_made(self.made)
        else:
            self.form.say(tr("Stopped. The same again goes on from the last whole round."))

    def close_group(self) -> None:
        """Show all images again where a group is shown."""
        if self._shown is not None:
            self._bar.set_filter(dataclasses.replace(self._bar.filter, ids=None, said=""))

    def closing(self) -> None:
        """End the reader of samples."""
        self.list.close_reader()
