"""The side panel of the Explain page: label, layer, opacity, and the check of the heatmap."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.explain.explaining import OPACITY, Trust, layer_title, trust, trust_sentence
from workbench.app.explain.explanations import HeatmapQuery
from workbench.app.results.run_images import RowScores
from workbench.domain.requests import PREDICTED, Description, Heat
from workbench.domain.runs import LabelList, RunLabels
from workbench.domain.text import tr
from workbench.ui.commands import ShortcutText, ShortcutTip
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel
from workbench.ui.pages.explain.bars import MOST, Bar, HeatLegend, ScoreBars
from workbench.ui.pages.explain.views import layer_text
from workbench.ui.parts.side import SidePanel

_TONES = {
    Trust.LEARNED: "good",
    Trust.DOUBTFUL: "warn",
    Trust.MEANINGLESS: "bad",
    Trust.EMPTY: "warn",
    Trust.UNCHECKED: "muted",
}


class ExplainSide(SidePanel):
    """Selects what is explained and how heatmaps are drawn.

    `query_changed(HeatmapQuery)` is emitted for another label or layer, `opacity_changed(float)`
    with the opacity in [0, 1], `heat_hidden_changed(bool)` to hide or show the heatmap.
    """

    query_changed = Signal(object)
    opacity_changed = Signal(float)
    heat_hidden_changed = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._labels: RunLabels | None = None
        self._query = HeatmapQuery()
        self.label = QComboBox()
        self.label.setAccessibleName(tr("Label to explain"))
        ShortcutText(self.label, self._show_label_tip, "explain.predicted")
        self.label.activated.connect(self._label_picked)
        self.bars = ScoreBars()
        self.bars.chosen.connect(self._bar_picked)
        self.layer = QComboBox()
        self.layer.setAccessibleName(tr("Layer"))
        ShortcutTip(
            self.layer,
            tr("Deep layers respond to objects, shallow ones to edges"),
            "explain.deeper",
            "explain.shallower",
        )
        self.layer.activated.connect(self._layer_picked)
        self.trust = PlainLabel()
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
        self.trust_section = self.add(tr("Is the heatmap reliable?"), self.trust)

    def _show_label_tip(self, shortcuts: Sequence[str]) -> None:
        (predicted,) = shortcuts
        tip = tr("Label to explain ({shortcut}: the predicted one, 1–9: by position)")
        self.label.setToolTip(tip.format(shortcut=predicted))

    def _overlay(self) -> QWidget:
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setPageStep(10)
        self.opacity.setAccessibleName(tr("Opacity"))
        ShortcutTip(
            self.opacity, tr("Opacity of the heatmap"), "explain.more_map", "explain.less_map"
        )
        self.percent = PlainLabel()
        self.percent.setMinimumWidth(36)
        self.percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.hide_heat = QToolButton()
        self.hide_heat.setIcon(icon("ph.eye", self.hide_heat))
        self.hide_heat.setToolTip(tr("Hide the heatmap while pressed (Alt)"))
        self.hide_heat.setAccessibleName(tr("Hide the heatmap"))
        self.hide_heat.pressed.connect(lambda: self.heat_hidden_changed.emit(True))
        self.hide_heat.released.connect(lambda: self.heat_hidden_changed.emit(False))
        self.opacity.valueChanged.connect(self._opacity_moved)
        self.opacity.setValue(round(OPACITY * 100))
        line = QHBoxLayout()
        line.setSpacing(8)
        for widget in (self.opacity, self.percent, self.hide_heat):
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

    # What is shown

    def show_run(self, labels: RunLabels) -> None:
        """Show the labels of another run; its layers follow with `show_layers`."""
        self._labels = labels
        self._query = HeatmapQuery()
        with QSignalBlocker(self.label):
            self.label.clear()
            for head in self._heads():
                text = tr("Predicted {label_set}").format(label_set=head.name)
                self.label.addItem(text, (head.name, PREDICTED))
            for head in self._heads():
                self.label.insertSeparator(self.label.count())
                for name in head.labels:
                    self.label.addItem(name, (head.name, name))
            self.label.setCurrentIndex(0)
        self.layer.clear()
        self.layer.setEnabled(False)

    def show_layers(self, description: Description) -> None:
        """Show the layers of the run, the deepest first, then attention and sliding windows."""
        with QSignalBlocker(self.layer):
            self.layer.clear()
            for name in reversed(description.layers):
                self.layer.addItem(layer_text(layer_title(name, description.backbone)), name)
            if description.layers:
                text = tr("{layer}  (deepest)").format(layer=self.layer.itemText(0))
                self.layer.setItemText(0, text)
            if description.masks:
                self.layer.insertSeparator(self.layer.count())
            for name in description.masks:
                self.layer.addItem(layer_text(layer_title(name, description.backbone)), name)
        self.layer.setEnabled(bool(description.layers))

    def _heads(self) -> list[LabelList]:
        assert self._labels is not None
        view = self._labels.view
        return [self._labels.target, *([view] if view is not None else [])]

    def show_scores(self, known: RowScores, heat: Heat | None) -> None:
        """Show the scores of all label sets: from the heatmap, else as stored by the run."""
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
        """Show or hide what belongs to a single image."""
        self.bars.setVisible(single)
        self.trust_section.setVisible(single)

    def show_explained(self, heat: Heat | None, label_set: str) -> None:
        """Highlight the bar of the label that the heatmap explains."""
        self.bars.show_explained(label_set, heat.label if heat is not None else "")

    def show_trust(self, heat: Heat | None) -> None:
        """Show the result of the randomised-weights check."""
        text, tone = "", "muted"
        if heat is not None:
            text = tr(trust_sentence(heat)) or tr("Comparing with networks with random weights…")
            tone = _TONES[trust(heat)]
        self.trust.setText(text)
        self._set_tone(tone)

    def show_reason(self, text: str) -> None:
        """Show why there is no heatmap."""
        self.trust.setText(text)
        self._set_tone("bad")

    def _set_tone(self, tone: str) -> None:
        if self.trust.property("role") != tone:
            self.trust.setProperty("role", tone)
            self.trust.style().unpolish(self.trust)
            self.trust.style().polish(self.trust)

    # The query

    @property
    def query(self) -> HeatmapQuery:
        """What is selected."""
        return self._query

    def select_label(self, label_set: str, label: str) -> None:
        """Explain another label; nothing happens if the run does not have it."""
        at = next(
            (i for i in range(self.label.count()) if self.label.itemData(i) == (label_set, label)),
            -1,
        )
        if at < 0:
            return
        self.label.setCurrentIndex(at)
        self._set_query(label_set, label, self._query.layer)

    def select_label_by_key(self, key: int) -> None:
        """Explain the label of a digit: 0 the predicted one, else by its position in the set."""
        if self._labels is None:
            return
        head = self._labels.target
        if key == 0:
            self.select_label(head.name, PREDICTED)
        elif key <= len(head.labels):
            self.select_label(head.name, head.labels[key - 1])

    def step_layer(self, step: int) -> None:
        """Explain a deeper (−1) or shallower (1) layer; attention and windows follow the last."""
        to = self.layer.currentIndex() + step
        if self.layer.itemData(to) is None:  # the separator
            to += step
        if 0 <= to < self.layer.count():
            self.layer.setCurrentIndex(to)
            self._layer_picked()

    def select_layer(self, name: str) -> None:
        """Explain a layer by its name; nothing happens if the run does not have it."""
        at = self.layer.findData(name)
        if at >= 0:
            self.layer.setCurrentIndex(at)
            self._layer_picked()

    def step_opacity(self, step: int) -> None:
        """Increase (1) or decrease (−1) the opacity by 10 %."""
        self.opacity.setValue(self.opacity.value() + 10 * step)

    def _label_picked(self) -> None:
        label_set, label = self.label.currentData()
        self._set_query(label_set, label, self._query.layer)

    def _bar_picked(self, label_set: str, label: str) -> None:
        self.select_label(label_set, label)

    def _layer_picked(self) -> None:
        self._set_query(self._query.label_set, self._query.label, self.layer.currentData() or "")

    def _set_query(self, label_set: str, label: str, layer: str) -> None:
        query = HeatmapQuery(label, label_set, layer)
        if query != self._query:
            self._query = query
            self.query_changed.emit(query)

    def _opacity_moved(self, value: int) -> None:
        self.percent.setText(f"{value} %")
        self.opacity_changed.emit(value / 100)


def _bars(head: LabelList, values: Sequence[float] | None, true: str, keys: bool) -> list[Bar]:
    """All labels of a small set in order; of a large set the highest scores and the true label."""
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
