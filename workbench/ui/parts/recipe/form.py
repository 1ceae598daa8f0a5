"""The head of the Train page: what to learn, with which network, from what, what is frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from workbench.app.training.recipe_draft import Draft
from workbench.domain.backbones import BACKBONES, Backbone
from workbench.domain.errors import ValueRefused
from workbench.domain.splits import DEFAULT_SPLIT, Part
from workbench.domain.text import tr
from workbench.ui.look.icons import draw_icon, icon
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized
from workbench.ui.parts.elided import ElidedLabel

_FILE = "file:"


class StartChoice(QWidget):
    """A list of starts and, below it, where ImageNet's weights are. `chosen(start)` carries the
    recipe's value; `download_wanted` and `stop_wanted` are the two faces of one button, and
    `compare_wanted` asks which start suits."""

    chosen = Signal(str)
    download_wanted = Signal()
    stop_wanted = Signal()
    compare_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Start weights"))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(14)
        self.box.activated.connect(self._picked)
        self.state = QLabel()
        self.state.setProperty("role", "caption")
        self.button = QPushButton(tr("Download"))
        self.button.clicked.connect(self._press)
        self.compare = QPushButton(tr("Compare…"))
        self.compare.setToolTip(tr("Score starts on your labels before anything is trained"))
        self.compare.clicked.connect(self.compare_wanted)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.hide()
        self._shown: list[str] = []
        self._downloading = False
        below = QHBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self.state, 1)
        below.addWidget(self.compare)
        below.addWidget(self.button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.box)
        column.addLayout(below)
        column.addWidget(self.bar)

    def show_start(
        self, backbone: Backbone, start: str, runs: Sequence[tuple[str, str]], present: bool
    ) -> None:
        """The starts of `backbone`, `start` chosen; `runs` are (id, name) of runs with weights, and
        `present` says that ImageNet's weights are on this machine."""
        items = [("imagenet", tr("ImageNet"))] if backbone.weights else []
        items += [("none", tr("Nothing (from scratch)"))]
        items += [(f"run:{run}", tr("Run {name}").format(name=name)) for run, name in runs]
        if start.startswith(_FILE):
            items.append((start, Path(start.removeprefix(_FILE)).name))
        items.append((_FILE, tr("A file…")))
        if [key for key, _ in items] != self._shown:
            self._shown = [key for key, _ in items]
            self.box.clear()
            self.box.addItems([text for _, text in items])
        self.box.setCurrentIndex(self._shown.index(start) if start in self._shown else -1)
        self._tell(backbone, start, present)

    def _tell(self, backbone: Backbone, start: str, present: bool) -> None:
        wanted = start == "imagenet"
        if not wanted:
            text = start.removeprefix(_FILE) if start.startswith(_FILE) else ""
        elif present:
            text = tr("{size} MB, on this machine").format(size=f"{backbone.megabytes:g}")
        else:
            text = tr("fetched at the start: {size} MB from {host}").format(
                size=f"{backbone.megabytes:g}", host=backbone.weights_address.split("/")[2]
            )
        self.state.setText(text)
        self.state.setToolTip(backbone.weights_address if wanted else text)
        self.button.setVisible(wanted and (not present or self._downloading))

    def show_download(self, done: int, total: int) -> None:
        """How many bytes of the weights are here; `total` 0 while unknown."""
        self._downloading = True
        self.bar.show()
        self.bar.setRange(0, max(0, total) // 1024)
        self.bar.setValue(done // 1024)
        self.button.setText(tr("Stop"))
        self.button.show()

    def end_download(self) -> None:
        """The download has ended, one way or another."""
        self._downloading = False
        self.bar.hide()
        self.button.setText(tr("Download"))

    def _press(self) -> None:
        (self.stop_wanted if self._downloading else self.download_wanted).emit()

    def _picked(self, at: int) -> None:
        start = self._shown[at]
        if start == _FILE:
            start = self._ask_file()
        if start:
            self.chosen.emit(start)

    def _ask_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(
            self,
            tr("Start weights"),
            str(Path.home()),
            tr("Weights (*.safetensors *.pth *.pt)"),
        )
        return _FILE + path if path else ""


HEIGHT = 52
GAP = 6
WIDEST = 116
HEAD = "head"


class StageRow(QWidget):
    """Stages from the input to the head; `chosen(frozen)` tells "none", a stage's name or "all"."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._frozen = "none"
        self._hover = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Frozen stages"))

    def show_backbone(self, backbone: Backbone, frozen: str) -> None:
        """The stages of `backbone`, frozen up to and with `frozen`."""
        if (backbone.stage_names, frozen) == (self._names, self._frozen):
            return
        self._names, self._frozen = backbone.stage_names, frozen
        self.setAccessibleDescription(self.sentence())
        self.update()

    def frozen_stages(self) -> int:
        """How many stages stay as they are."""
        if self._frozen == "all":
            return len(self._names)
        return self._names.index(self._frozen) + 1 if self._frozen in self._names else 0

    def sentence(self) -> str:
        """What the picture says in words."""
        frozen, stages = self.frozen_stages(), len(self._names)
        if not frozen:
            return tr("Every stage learns.")
        if frozen == stages:
            return tr("Only the new head learns.")
        return tr("Frozen up to {stage}; {n} of {all} stages and the head learn.").format(
            stage=self._names[frozen - 1], n=stages - frozen, all=stages
        )

    def sizeHint(self) -> QSize:
        return QSize(480, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, HEIGHT)

    # Geometry

    def _block(self, at: int) -> QRectF:
        count = len(self._names) + 1
        wide = min(WIDEST, (self.width() - 4 - GAP * (count - 1)) / count)
        high = HEIGHT - 8 - 16 * at / max(1, count - 1)  # maps get smaller on the way
        return QRectF(2 + at * (wide + GAP), (HEIGHT - high) / 2, wide, high)

    def _at(self, point: QPointF) -> int:
        for at in range(len(self._names)):
            if self._block(at).adjusted(-GAP / 2, -8, GAP / 2, 8).contains(point):
                return at
        return -1

    # Drawing

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(sized(self.font(), CAPTION_PIXELS))
        theme, frozen = Theme.of(self), self.frozen_stages()
        for at, name in enumerate((*self._names, HEAD)):
            self._paint_block(painter, theme, at, name, at < frozen)
        if self.hasFocus() and self._names:
            around = self._block(0).united(self._block(len(self._names)))
            painter.setPen(QPen(theme.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(around.adjusted(-1, -1, 1, 1), 6, 6)

    def _paint_block(
        self, painter: QPainter, theme: Theme, at: int, name: str, frozen: bool
    ) -> None:
        box = self._block(at)
        if at:
            painter.setPen(QPen(theme.line, 1))
            middle = HEIGHT / 2
            painter.drawLine(QPointF(box.left() - GAP, middle), QPointF(box.left(), middle))
        learns = at == len(self._names)
        colour = theme.line if frozen else theme.accent
        painter.setPen(QPen(colour, 2 if at == self._hover else 1))
        painter.setBrush(theme.hover if frozen else theme.accent if learns else theme.raised)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme.muted if frozen else theme.on_accent if learns else theme.text)
        text = self._words(painter, name, box)
        if frozen:
            draw_icon(painter, "snowflake", QRectF(box.center().x() - 6, 8, 12, 12), theme.muted)
            painter.setPen(theme.muted)
            box = box.adjusted(0, 10, 0, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    @staticmethod
    def _words(painter: QPainter, name: str, box: QRectF) -> str:
        metrics = QFontMetrics(painter.font())
        short = "".join(c for c in name if c.isdigit())
        if metrics.horizontalAdvance(name) <= box.width() - 2 or not short:
            return name
        return name[0] + short

    # Hands

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            self.update()
            text = (
                tr("Click: freeze up to {stage}").format(stage=self._names[at]) if at >= 0 else ""
            )
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            # a click on the last frozen stage thaws it
            self._choose(at if at + 1 == self.frozen_stages() else at + 1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # what was pressed here is not for the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
            return
        self._choose(self.frozen_stages() + step)

    def _choose(self, count: int) -> None:
        count = max(0, min(len(self._names), count))
        name = "none" if count == 0 else "all" if count == len(self._names) else None
        self.chosen.emit(name or self._names[count - 1])

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.update()


@dataclass(frozen=True)
class TargetChoice:
    """Something a run can learn: its name in the recipe, on the screen, and how many of how many
    are labelled. `reason` says why it cannot be learned yet, "" where it can."""

    name: str
    title: str
    reason: str = ""


class RecipeForm(QWidget):
    """`edited(key, value)` and `cleared(key)` are what a person did; the page answers by showing
    the draft anew."""

    edited = Signal(str, object)
    cleared = Signal(str)
    part_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._counts: dict[Part, int] = {}
        super().__init__(parent)
        self.target = QComboBox()
        self.target.activated.connect(self._target_picked)
        self.parts = QLabel()
        self.parts.setProperty("role", "caption")
        self.parts.setTextFormat(Qt.TextFormat.RichText)
        self.parts.linkActivated.connect(self.part_wanted)
        self.backbone = QComboBox()
        for known in BACKBONES.values():
            text = tr("{title}  ·  {size} MB  ·  {pixels} px").format(
                title=known.title, size=f"{known.megabytes:g}", pixels=known.input_size
            )
            self.backbone.addItem(text, known.name)
        self.backbone.activated.connect(
            lambda at: self.edited.emit("backbone", self.backbone.itemData(at))
        )
        self.start = StartChoice()
        self.start.chosen.connect(lambda start: self.edited.emit("start", start))
        self.stages = StageRow()
        self.stages.chosen.connect(lambda frozen: self.edited.emit("frozen", frozen))
        self.sentence = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self.sentence.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.error = QLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        self._back: dict[str, QToolButton] = {}
        self._targets: list[str] = []
        self._lay_out()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(4)
        for column, (key, title, widget, stretch) in enumerate(
            (
                ("target", tr("What to learn"), self.target, 4),
                ("backbone", tr("Backbone"), self.backbone, 5),
                ("start", tr("Start weights"), self.start, 5),
            )
        ):
            grid.addLayout(self._caption(key, title, widget), 0, column)
            grid.addWidget(widget, 1, column, 2 if key == "start" else 1, 1)
            grid.setColumnStretch(column, stretch)
        grid.addWidget(self.parts, 2, 0, 1, 2)
        above = self._caption("frozen", tr("Frozen stages"), self.stages)
        above.setSpacing(8)
        above.addWidget(self.sentence, 100)  # the caption's own stretch hardly counts beside it
        grid.addLayout(above, 3, 0, 1, 3)
        grid.addWidget(self.stages, 4, 0, 1, 3)
        grid.addWidget(self.error, 5, 0, 1, 3)

    def _caption(self, key: str, title: str, widget: QWidget) -> QHBoxLayout:
        label = QLabel(title)
        label.setProperty("role", "caption")
        label.setBuddy(widget)
        back = QToolButton()
        back.setIcon(icon("arrow-counter-clockwise", back, "accent"))
        back.setFixedSize(18, 18)
        back.setToolTip(tr("Back to what is advised"))
        back.setAccessibleName(back.toolTip())
        back.clicked.connect(lambda: self.cleared.emit(key))
        policy = back.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        back.setSizePolicy(policy)
        back.hide()
        self._back[key] = back
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(back)
        row.addStretch(1)
        return row

    # What is shown

    def set_targets(self, targets: Sequence[TargetChoice]) -> None:
        """What the project's labels allow to learn."""
        self._targets = [target.name for target in targets]
        self.target.clear()
        for target in targets:
            self.target.addItem(target.title, target.name)
        model = self.target.model()
        for at, target in enumerate(targets):
            item = model.item(at) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(not target.reason)
                item.setToolTip(target.reason)

    def set_parts(self, counts: Mapping[Part, int]) -> None:
        """How many images the split gives to each part; nothing where there is no split yet."""
        self._counts = dict(counts)
        linked = [f'<a href="{part}">{part} {n:,}</a>' for part, n in counts.items() if n]
        none = tr("No split yet: {shares} is drawn when a training starts.")
        shares = DEFAULT_SPLIT.percentages
        self.parts.setText(" &nbsp; ".join(linked) or none.format(shares=shares))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._counts:
            self.parts.clear()  # a link keeps the colour it was written in
            self.set_parts(self._counts)

    def show_draft(
        self,
        draft: Draft,
        errors: Mapping[str, ValueRefused],
        runs: Sequence[tuple[str, str]],
        present: bool,
    ) -> None:
        """Fill the fields. `runs` and `present` are those of `StartChoice.show_start`."""
        now = draft.recipe
        at = self._targets.index(now.target) if now.target in self._targets else -1
        self.target.setCurrentIndex(at)
        known = BACKBONES[now.backbone]
        self.backbone.setCurrentIndex(self.backbone.findData(known.name))
        self.start.show_start(known, now.start, runs, present)
        self.stages.show_backbone(known, now.frozen)
        self._say_stages(draft)
        for key, back in self._back.items():
            back.setVisible(key != "target" and draft.overridden(key))
        here = [errors[key] for key in ("target", "backbone", "start", "frozen") if key in errors]
        self.error.setText("\n".join(tr(error.message) for error in here))
        self.error.setVisible(bool(here))

    def _say_stages(self, draft: Draft) -> None:
        reasons = dict(draft.reasons)
        own = [reasons.pop("frozen")] if "frozen" in reasons else []
        because = [tr(reason) for reason in (*own, *reasons.values())]
        self.sentence.setText(" ".join([self.stages.sentence(), *because]))
        self.sentence.setProperty("role", "muted")

    def _target_picked(self, at: int) -> None:
        self.edited.emit("target", self.target.itemData(at))
