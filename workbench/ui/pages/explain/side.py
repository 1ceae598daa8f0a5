"""What is explained and how it is drawn: label, layer, opacity, and whether the map means it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.explain.explaining import OPACITY, Trust, layer_words, trust, trust_sentence
from workbench.app.explain.explanations import Question
from workbench.app.results.run_images import RowScores
from workbench.domain.requests import PREDICTED, Description, Heat
from workbench.domain.runs import LabelList, RunLabels
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.pages.explain.bars import MOST, Bar, HeatLegend, ScoreBars
from workbench.ui.parts.side import SidePanel

_TONES = {
    Trust.LEARNED: "good",
    Trust.DOUBTFUL: "warn",
    Trust.MEANINGLESS: "bad",
    Trust.EMPTY: "warn",
    Trust.UNCHECKED: "muted",
}


class ExplainSide(SidePanel):
    """`asked(Question)` tells that maps of something else are wanted; `opacity_changed(float)` and
    `bare_changed(bool)` how they are drawn."""

    asked = Signal(object)
    opacity_changed = Signal(float)
    bare_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._labels: RunLabels | None = None
        self._question = Question()
        self.label = QComboBox()
        self.label.setAccessibleName(tr("Label to explain"))
        self.label.setToolTip(tr("Which label the map speaks for (0 the predicted, 1–9)"))
        self.label.activated.connect(self._label_picked)
        self.bars = ScoreBars()
        self.bars.chosen.connect(self._bar_picked)
        self.layer = QComboBox()
        self.layer.setAccessibleName(tr("Layer"))
        self.layer.setToolTip(tr("Deep layers see things, shallow ones edges (keys [ and ])"))
        self.layer.activated.connect(self._layer_picked)
        self.trust = QLabel()
        self.trust.setWordWrap(True)
        self.trust.setMinimumHeight(52)
        self.trust.setAlignment(Qt.AlignmentFlag.AlignTop)
        labels = QWidget()
        column = QVBoxLayout(labels)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.label)
        column.addWidget(self.bars)
        self.add(tr("Label"), labels)
        self.add(tr("Layer"), self.layer)
        self.add(tr("Overlay"), self._overlay())
        self.trust_section = self.add(tr("Can the map be trusted?"), self.trust)

    def _overlay(self) -> QWidget:
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setPageStep(10)
        self.opacity.setAccessibleName(tr("Opacity"))
        self.opacity.setToolTip(tr("Opacity of the map (+ and −)"))
        self.percent = QLabel()
        self.percent.setMinimumWidth(36)
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.bare = QToolButton()
        self.bare.setIcon(icon("ph.eye", self.bare))
        self.bare.setToolTip(tr("Show the photograph bare (hold Alt)"))
        self.bare.setAccessibleName(tr("Show the photograph bare"))
        self.bare.pressed.connect(lambda: self.bare_changed.emit(True))
        self.bare.released.connect(lambda: self.bare_changed.emit(False))
        self.opacity.valueChanged.connect(self._opacity_moved)
        self.opacity.setValue(round(OPACITY * 100))
        line = QHBoxLayout()
        line.setSpacing(8)
        for widget in (self.opacity, self.percent, self.bare):
            line.addWidget(widget)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(line)
        legend = HeatLegend()
        self.opacity_changed.connect(legend.set_opacity)
        column.addWidget(legend)
        return box

    # what there is

    def show_run(self, labels: RunLabels) -> None:
        """The labels of another run; its layers come later."""
        self._labels = labels
        self._question = Question()
        with QSignalBlocker(self.label):
            self.label.clear()
            for head in self._heads():
                self.label.addItem(
                    tr("the predicted {set}").format(set=head.name), (head.name, PREDICTED)
                )
            for head in self._heads():
                self.label.insertSeparator(self.label.count())
                for name in head.labels:
                    self.label.addItem(name, (head.name, name))
            self.label.setCurrentIndex(0)
        self.layer.clear()
        self.layer.setEnabled(False)

    def show_layers(self, description: Description) -> None:
        """The layers of the run, the deepest first, and below them where the network looks."""
        with QSignalBlocker(self.layer):
            self.layer.clear()
            for name in reversed(description.layers):
                self.layer.addItem(layer_words(name, description.backbone), name)
            if description.layers:
                words = tr("{layer}  (deepest)")
                self.layer.setItemText(0, words.format(layer=self.layer.itemText(0)))
            if description.masks:
                self.layer.insertSeparator(self.layer.count())
            for name in description.masks:
                self.layer.addItem(layer_words(name, description.backbone), name)
        self.layer.setEnabled(bool(description.layers))

    def _heads(self) -> list[LabelList]:
        assert self._labels is not None
        view = self._labels.view
        return [self._labels.target, *([view] if view is not None else [])]

    def show_scores(self, known: RowScores, heat: Heat | None) -> None:
        """Bars of every label set: what the run left, or what came with the map."""
        if self._labels is None:
            return
        heads = self._heads()
        scores, views = known.scores, known.view_scores
        if heat is not None:
            scores, views = heat.scores, heat.view_scores
        given = ((scores, known.truth), (views, known.view_truth))
        groups = []
        for at, (head, (values, true)) in enumerate(zip(heads, given, strict=False)):
            title = head.name if len(heads) > 1 else ""
            groups.append((title, _bars(head, values, true, keys=at == 0)))
        self.bars.show_bars(groups)

    def show_single(self, single: bool) -> None:
        """What is of one image is hidden beside a wall."""
        self.bars.setVisible(single)
        self.trust_section.setVisible(single)

    def show_explained(self, heat: Heat | None, label_set: str) -> None:
        """Which bar the map is of."""
        self.bars.show_explained(label_set, heat.label if heat is not None else "")

    def show_trust(self, heat: Heat | None) -> None:
        """The randomised-weights check, in a sentence."""
        if heat is None:
            said, tone = "", "muted"
        else:
            said = trust_sentence(heat) or tr("Comparing with networks of random weights…")
            tone = _TONES[trust(heat)]
        self.trust.setText(said)
        self.say_tone(tone)

    def say(self, sentence: str) -> None:
        """Why there is no map."""
        self.trust.setText(sentence)
        self.say_tone("bad")

    def say_tone(self, tone: str) -> None:
        if self.trust.property("role") != tone:
            self.trust.setProperty("role", tone)
            self.trust.style().unpolish(self.trust)
            self.trust.style().polish(self.trust)

    # what is asked

    @property
    def question(self) -> Question:
        return self._question

    def choose_label(self, label_set: str, label: str) -> None:
        """Ask for maps of another label."""
        at = next(
            (i for i in range(self.label.count()) if self.label.itemData(i) == (label_set, label)),
            -1,
        )
        if at < 0:
            return
        self.label.setCurrentIndex(at)
        self._ask(label_set, label, self._question.layer)

    def choose_key(self, key: int) -> None:
        """The label a digit gives: 0 the predicted one, else by its position in the target's."""
        if self._labels is None:
            return
        head = self._labels.target
        if key == 0:
            self.choose_label(head.name, PREDICTED)
        elif key <= len(head.labels):
            self.choose_label(head.name, head.labels[key - 1])

    def step_layer(self, step: int) -> None:
        """A layer deeper (−1) or shallower (1), and on to the masks below."""
        to = self.layer.currentIndex() + step
        if self.layer.itemData(to) is None:  # the line between them
            to += step
        if 0 <= to < self.layer.count():
            self.layer.setCurrentIndex(to)
            self._layer_picked()

    def choose_layer(self, name: str) -> None:
        """A layer by its name; one that the run lacks is left out."""
        at = self.layer.findData(name)
        if at >= 0:
            self.layer.setCurrentIndex(at)
            self._layer_picked()

    def step_opacity(self, step: int) -> None:
        """More (1) or less (−1) of the map."""
        self.opacity.setValue(self.opacity.value() + 10 * step)

    def _label_picked(self) -> None:
        label_set, label = self.label.currentData()
        self._ask(label_set, label, self._question.layer)

    def _bar_picked(self, label_set: str, label: str) -> None:
        self.choose_label(label_set, label)

    def _layer_picked(self) -> None:
        self._ask(self._question.label_set, self._question.label, self.layer.currentData() or "")

    def _ask(self, label_set: str, label: str, layer: str) -> None:
        wanted = Question(label, label_set, layer)
        if wanted != self._question:
            self._question = wanted
            self.asked.emit(wanted)

    def _opacity_moved(self, value: int) -> None:
        self.percent.setText(f"{value} %")
        self.opacity_changed.emit(value / 100)


def _bars(head: LabelList, values: Sequence[float] | None, true: str, keys: bool) -> list[Bar]:
    """Every label of a small set in its order; of a large one the highest scores and the truth."""
    bars = [
        Bar(
            head.name,
            name,
            values[at] if values is not None else None,
            name == true,
            str(at + 1) if keys and at < 9 else "",
        )
        for at, name in enumerate(head.labels)
    ]
    if len(bars) <= MOST + 2:
        return bars
    ordered = sorted(bars, key=lambda bar: -(bar.score or 0.0))
    return ordered[:MOST] + [bar for bar in ordered[MOST:] if bar.true]
