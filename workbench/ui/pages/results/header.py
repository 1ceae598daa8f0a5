"""The header of the Results page: the scope and its key figures."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QPushButton, QWidget

from workbench.app.results.results import LABEL_HEAD, TARGET_HEAD, RunResults, Scope, ScoreRows
from workbench.domain.splits import Part
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import row
from workbench.ui.pages.results.section import RunInScope, with_count
from workbench.ui.parts.run_texts import part_title, percent


class KeyFigures(QWidget):
    """The key figures of a run, as buttons that lead to their images.

    `rows_requested(title, rows)` is emitted to show images, `calibration_requested()` to show the
    section on calibration.
    """

    rows_requested = Signal(str, object)
    calibration_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown: RunInScope | None = None
        self.top1 = PlainLabel()
        self.top1.setProperty("role", "title")
        self.top5 = PlainLabel()
        self.top5.setProperty("role", "muted")
        self.errors = self._button(tr("Show wrongly predicted images"))
        self.errors.clicked.connect(lambda: self._show(right=False))
        self.images = self._button(tr("Show all images of this part"))
        self.images.clicked.connect(lambda: self._show(right=None))
        self.calibration = self._button(tr("Show the calibration of the confidence"))
        self.calibration.clicked.connect(self.calibration_requested)
        figures = (self.top1, self.top5, self.errors, self.images, self.calibration)
        row(*figures, on=self, spacing=12)

    def _button(self, tip: str) -> QPushButton:
        button = QPushButton()
        button.setToolTip(tip)
        return button

    def show_run(self, shown: RunInScope | None) -> None:
        """Show the figures of a run in a scope; None hides them."""
        self._shown = shown
        self.setVisible(shown is not None)
        if shown is None:
            return
        scores = shown.results.scores(shown.scope)
        wrong = len(shown.results.rows(shown.scope, right=False))
        self.top1.setText(percent(scores.top1))
        self.top5.setText(_further_figures(shown, scores))
        self.errors.setText(plural(wrong, "{n:,} wrong", "{n:,} wrong"))
        self.errors.setEnabled(wrong > 0)
        self.images.setText(plural(scores.images, "{n:,} image", "{n:,} images"))
        self.images.setEnabled(scores.images > 0)
        self.calibration.setText(tr("ECE {error}").format(error=percent(scores.calibration)))

    def _show(self, *, right: bool | None) -> None:
        shown = self._shown
        if shown is not None:
            rows = shown.results.rows(shown.scope, right=right)
            title = tr("Wrong") if right is False else tr("All")
            self.rows_requested.emit(with_count(title, len(rows)), rows)


def _further_figures(shown: RunInScope, scores: ScoreRows) -> str:
    """What the first figure is, and further figures beside it."""
    marked = shown.results.marked
    if marked is not None and shown.several_labels:
        found = marked.scores(shown.results.inside(shown.scope))
        text = tr("top-1, all labels right {exact}, mAP {mean}")
        return text.format(exact=percent(found.exact), mean=percent(found.mean_ap))
    if len(shown.names) > 5:
        return tr("top-1, top-5 {score}").format(score=percent(scores.top5))
    return tr("accuracy") if shown.scope.head.startswith(LABEL_HEAD) else tr("top-1")


class ScopeBar(QWidget):
    """The controls that select a scope; `changed()` is emitted when the user changes it."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part = self._box(tr("Part of the split"))
        self.view = self._box(tr("View of the images"))
        self.head = self._box(tr("Label set"))
        row(self.part, self.view, self.head, on=self, spacing=8)

    def _box(self, name: str) -> QComboBox:
        box = QComboBox()
        box.setAccessibleName(name)
        box.setToolTip(name)
        box.activated.connect(lambda _: self.changed.emit())
        return box

    def show_results(self, results: RunResults) -> None:
        """Show the scopes of a run; the selection stays if it can."""
        parts = [(part_title(part), str(part)) for part in reversed(results.parts)]
        _fill(self.part, parts, results.best_part())
        every = [(tr("All views"), "")]
        _fill(self.view, every + [(view, view) for view in results.views], "")
        heads = results.heads
        _fill(self.head, heads, TARGET_HEAD)
        self.view.setVisible(bool(results.views))
        self.head.setVisible(len(heads) > 1)

    def scope(self) -> Scope:
        """The selected scope."""
        part = self.part.currentData()
        return Scope(
            Part(part) if part else Part.TEST,
            str(self.view.currentData() or ""),
            str(self.head.currentData() or TARGET_HEAD),
        )

    def select(self, part: str, view: str, head: str) -> None:
        """Select what was selected in an earlier session, if it still exists."""
        for box, value in ((self.part, part), (self.view, view), (self.head, head)):
            at = box.findData(value)
            if at >= 0:
                box.setCurrentIndex(at)


def _fill(box: QComboBox, items: list[tuple[str, str]], default: str) -> None:
    current = box.currentData()
    box.clear()
    for text, value in items:
        box.addItem(text, value)
    values = [value for _, value in items]
    selected = current if current in values else str(default)
    box.setCurrentIndex(values.index(selected) if selected in values else 0)
