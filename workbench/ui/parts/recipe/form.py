"""The form at the top of the Train page: target, backbone, start weights and frozen stages."""

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
from workbench.domain.text import plural, tr
from workbench.ui.look.icons import draw_icon, icon
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.look.theme import CAPTION_PIXELS, Theme, sized
from workbench.ui.parts.elided import ElidedLabel
from workbench.ui.parts.recipe.fields import key_tip

_FILE = "file:"


class StartChoice(QWidget):
    """The choice of start weights, with the state of the ImageNet weights below it.

    `chosen(start)` is emitted with the recipe's value; `download_requested` or `stop_requested`
    when the button below is clicked, depending on its state; `compare_requested` when the start
    weights are to be compared.
    """

    chosen = Signal(str)
    download_requested = Signal()
    stop_requested = Signal()
    compare_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Start weights"))
        self.box.setToolTip(key_tip("start"))
        self.box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.box.setMinimumContentsLength(14)
        self.box.activated.connect(self._choose)
        self.state = PlainLabel()
        self.state.setProperty("role", "caption")
        self.button = QPushButton(tr("Download"))
        self.button.clicked.connect(self._start_or_stop)
        self.compare = QPushButton(tr("Compare…"))
        self.compare.setToolTip(tr("Score start weights on your labels before training"))
        self.compare.clicked.connect(self.compare_requested)
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
        """Show the start weights available for `backbone`, with `start` chosen.

        `runs` are the (id, name) of runs with suitable weights; `present` is whether the ImageNet
        weights are on this machine."""
        items = [("imagenet", tr("ImageNet"))] if backbone.weights else []
        items += [("none", tr("Random (from scratch)"))]
        items += [(f"run:{run}", tr("Run {name}").format(name=name)) for run, name in runs]
        if start.startswith(_FILE):
            items.append((start, Path(start.removeprefix(_FILE)).name))
        items.append((_FILE, tr("From file…")))
        if [key for key, _ in items] != self._shown:
            self._shown = [key for key, _ in items]
            self.box.clear()
            self.box.addItems([text for _, text in items])
        self.box.setCurrentIndex(self._shown.index(start) if start in self._shown else -1)
        self._show_state(backbone, start, present)

    def _show_state(self, backbone: Backbone, start: str, present: bool) -> None:
        imagenet = start == "imagenet"
        if not imagenet:
            text = start.removeprefix(_FILE) if start.startswith(_FILE) else ""
        elif present:
            text = tr("{size} MB, on this computer").format(size=f"{backbone.megabytes:g}")
        else:
            text = tr("{size} MB, to be downloaded from {host}").format(
                size=f"{backbone.megabytes:g}", host=backbone.weights_address.split("/")[2]
            )
        self.state.setText(text)
        self.state.setToolTip(backbone.weights_address if imagenet else plain_text(text))
        self.button.setVisible(imagenet and (not present or self._downloading))

    def show_download(self, done: int, total: int) -> None:
        """Show the progress of the download in bytes; `total` is 0 while unknown."""
        self._downloading = True
        self.bar.show()
        self.bar.setRange(0, total // 1024)
        self.bar.setValue(done // 1024)
        self.button.setText(tr("Stop"))
        self.button.show()

    def end_download(self) -> None:
        """Show that the download has ended, successfully or not."""
        self._downloading = False
        self.bar.hide()
        self.button.setText(tr("Download"))

    def _start_or_stop(self) -> None:
        (self.stop_requested if self._downloading else self.download_requested).emit()

    def _choose(self, at: int) -> None:
        start = self._shown[at]
        if start == _FILE:
            start = self._choose_file()
        if start:
            self.chosen.emit(start)

    def _choose_file(self) -> str:
        path, _ = QFileDialog.getOpenFileName(
            self,
            tr("Choose start weights"),
            str(Path.home()),
            tr("Weights (*.safetensors *.pth *.pt)"),
        )
        return _FILE + path if path else ""


HEIGHT = 52
GAP = 6
WIDEST = 116


class StageRow(QWidget):
    """The stages from the input to the head as blocks, frozen ones grey.

    `chosen(frozen)` is emitted with the recipe's value: "none", a stage's name or "all".
    """

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
        """Show the stages of `backbone`, frozen up to and including `frozen`."""
        if (backbone.stage_names, frozen) == (self._names, self._frozen):
            return
        self._names, self._frozen = backbone.stage_names, frozen
        self.setAccessibleDescription(self.sentence())
        self.update()

    def frozen_stages(self) -> int:
        """Number of frozen stages."""
        if self._frozen == "all":
            return len(self._names)
        return self._names.index(self._frozen) + 1 if self._frozen in self._names else 0

    def sentence(self) -> str:
        """A description of which stages are trained."""
        frozen, stages = self.frozen_stages(), len(self._names)
        if not frozen:
            return tr("All stages are trained.")
        if frozen == stages:
            return tr("Only the head is trained.")
        return plural(
            stages - frozen,
            "Frozen up to {stage}; {n} of {all} stages and the head are trained.",
            "Frozen up to {stage}; {n} of {all} stages and the head are trained.",
            stage=self._names[frozen - 1],
            all=stages,
        )

    def sizeHint(self) -> QSize:
        return QSize(480, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(240, HEIGHT)

    # Geometry

    def _block(self, at: int) -> QRectF:
        count = len(self._names) + 1
        wide = min(WIDEST, (self.width() - 4 - GAP * (count - 1)) / count)
        high = HEIGHT - 8 - 16 * at / max(1, count - 1)  # feature maps get smaller towards the head
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
        for at, name in enumerate((*self._names, tr("head"))):
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
        head = at == len(self._names)
        colour = theme.line if frozen else theme.accent
        painter.setPen(QPen(colour, 2 if at == self._hover else 1))
        painter.setBrush(theme.hover if frozen else theme.accent if head else theme.raised)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(theme.muted if frozen else theme.on_accent if head else theme.text)
        text = self._shortened(painter, name, box)
        if frozen:
            draw_icon(painter, "snowflake", QRectF(box.center().x() - 6, 8, 12, 12), theme.muted)
            painter.setPen(theme.muted)
            box = box.adjusted(0, 10, 0, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    @staticmethod
    def _shortened(painter: QPainter, name: str, box: QRectF) -> str:
        metrics = QFontMetrics(painter.font())
        short = "".join(c for c in name if c.isdigit())
        if metrics.horizontalAdvance(name) <= box.width() - 2 or not short:
            return name
        return name[0] + short

    # Mouse and keyboard

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hover:
            self._hover = at
            self.update()
            text = (
                tr("Click to freeze up to {stage}").format(stage=self._names[at]) if at >= 0 else ""
            )
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover = -1
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at >= 0 and event.button() is Qt.MouseButton.LeftButton:
            # a click on the last frozen stage unfreezes it
            self._freeze(at if at + 1 == self.frozen_stages() else at + 1)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # do not pass the click to the widgets below

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            event.ignore()
            return
        self._freeze(self.frozen_stages() + step)

    def _freeze(self, count: int) -> None:
        count = max(0, min(len(self._names), count))
        name = "none" if count == 0 else "all" if count == len(self._names) else None
        self.chosen.emit(name or self._names[count - 1])

    def focusInEvent(self, _event: QFocusEvent) -> None:
        self.update()

    def focusOutEvent(self, _event: QFocusEvent) -> None:
        self.update()


@dataclass(frozen=True)
class TargetChoice:
    """A target to choose: its name in the recipe and its title, with the number of labelled images.

    `reason` is why it cannot be learned yet, "" if it can.
    """

    name: str
    title: str
    reason: str = ""


class RecipeForm(QWidget):
    """The form for target, backbone, start weights and frozen stages.

    `edited(key, value)` and `cleared(key)` are emitted when the user sets a key or resets it; the
    page then shows the changed draft. `part_requested(part)` is emitted when the link of a part of
    the split is clicked.
    """

    edited = Signal(str, object)
    cleared = Signal(str)
    part_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        self._counts: dict[Part, int] = {}
        super().__init__(parent)
        self.target = QComboBox()
        self.target.activated.connect(self._choose_target)
        self.parts = QLabel()
        self.parts.setProperty("role", "caption")
        self.parts.setTextFormat(Qt.TextFormat.RichText)
        self.parts.linkActivated.connect(self.part_requested)
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
        self.error = PlainLabel()
        self.error.setProperty("role", "bad")
        self.error.setWordWrap(True)
        self.error.hide()
        self._reset_buttons: dict[str, QToolButton] = {}
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
        above.addWidget(self.sentence, 100)  # outweighs the stretch in the caption
        grid.addLayout(above, 3, 0, 1, 3)
        grid.addWidget(self.stages, 4, 0, 1, 3)
        grid.addWidget(self.error, 5, 0, 1, 3)

    def _caption(self, key: str, title: str, widget: QWidget) -> QHBoxLayout:
        label = QLabel(title)
        label.setProperty("role", "caption")
        label.setBuddy(widget)
        label.setToolTip(key_tip(key))
        reset = QToolButton()
        reset.setIcon(icon("arrow-counter-clockwise", reset, "accent"))
        reset.setFixedSize(18, 18)
        reset.setToolTip(tr("Reset to recommended"))
        reset.setAccessibleName(reset.toolTip())
        reset.clicked.connect(lambda: self.cleared.emit(key))
        policy = reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        reset.setSizePolicy(policy)
        reset.hide()
        self._reset_buttons[key] = reset
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(label)
        row.addWidget(reset)
        row.addStretch(1)
        return row

    # Contents

    def set_targets(self, targets: Sequence[TargetChoice]) -> None:
        """Set the targets to choose from; those with a reason against them are disabled."""
        self._targets = [target.name for target in targets]
        self.target.clear()
        for target in targets:
            self.target.addItem(target.title, target.name)
        model = self.target.model()
        for at, target in enumerate(targets):
            item = model.item(at) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(not target.reason)
                item.setToolTip(plain_text(target.reason))

    def set_parts(self, counts: Mapping[Part, int]) -> None:
        """Show the number of images in each part of the split; empty if there is no split yet."""
        self._counts = dict(counts)
        linked = [f'<a href="{part}">{tr(part)} {n:,}</a>' for part, n in counts.items() if n]
        none = tr("No split yet; {shares} is drawn when training starts.")
        shares = DEFAULT_SPLIT.percentages
        self.parts.setText(" &nbsp; ".join(linked) or none.format(shares=shares))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._counts:
            self.parts.clear()  # a link keeps the colour of the theme in which it was set
            self.set_parts(self._counts)

    def show_draft(
        self,
        draft: Draft,
        errors: Mapping[str, ValueRefused],
        runs: Sequence[tuple[str, str]],
        present: bool,
    ) -> None:
        """Show a draft and its errors; `runs` and `present` as in `StartChoice.show_start`."""
        now = draft.recipe
        at = self._targets.index(now.target) if now.target in self._targets else -1
        self.target.setCurrentIndex(at)
        known = BACKBONES[now.backbone]
        self.backbone.setCurrentIndex(self.backbone.findData(known.name))
        self.start.show_start(known, now.start, runs, present)
        self.stages.show_backbone(known, now.frozen)
        self._show_sentence(draft)
        for key, reset in self._reset_buttons.items():
            reset.setVisible(key != "target" and draft.overridden(key))
        here = [errors[key] for key in ("target", "backbone", "start", "frozen") if key in errors]
        self.error.setText("\n".join(tr(error.message) for error in here))
        self.error.setVisible(bool(here))

    def _show_sentence(self, draft: Draft) -> None:
        reasons = dict(draft.reasons)
        own = [reasons.pop("frozen")] if "frozen" in reasons else []
        texts = [tr(reason) for reason in (*own, *reasons.values())]
        self.sentence.setText(" ".join([self.stages.sentence(), *texts]))
        self.sentence.setProperty("role", "muted")

    def _choose_target(self, at: int) -> None:
        self.edited.emit("target", self.target.itemData(at))
