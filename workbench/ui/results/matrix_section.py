"""The confusion matrix with its controls: a click on a cell asks for the images in it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QToolButton, QWidget

from workbench.app.results.result_tables import matrix_csv
from workbench.ui.look.icons import icon
from workbench.ui.results.confusion import ConfusionView
from workbench.ui.results.section import ResultSection, Shown
from workbench.ui.widgets.copying import Copies, Notify


class MatrixSection(ResultSection):
    """Counts or row %, hits and errors in two hues or all on one scale."""

    def __init__(self, notify: Notify, parent: QWidget | None = None) -> None:
        super().__init__(notify, parent)
        self.view = ConfusionView()
        self.view.chosen.connect(self._chosen)
        self.view.pointed.connect(self._pointed)
        self.amounts = QComboBox()
        self.amounts.addItems([self.tr("Counts"), self.tr("Row %")])
        self.amounts.setAccessibleName(self.tr("What the cells say"))
        self.amounts.currentIndexChanged.connect(lambda at: self.view.set_percent(at == 1))
        self.single = QCheckBox(self.tr("One scale"))
        self.single.setToolTip(
            self.tr("Colour hits and errors by one perceptual scale instead of two hues")
        )
        self.single.toggled.connect(self.view.set_single_scale)
        self.copies = Copies(self.view, lambda: self._title(), self.view.picture, self._csv, notify)
        zoom = [
            self._tool("magnifying-glass-minus", self.tr("Smaller cells (−)"), 1 / 1.3),
            self._tool("magnifying-glass-plus", self.tr("Larger cells (+)"), 1.3),
            self._tool("frame-corners", self.tr("The whole matrix (0)"), 0.0),
        ]
        for widget in (self.amounts, self.single, *zoom, self.copies.button(self)):
            self.bar.addWidget(widget)
        self.column.addWidget(self.view, 1)
        self.note = QLabel()
        self.note.setProperty("role", "caption")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.RichText)
        self.note.linkActivated.connect(self._show_moved)
        self.column.addWidget(self.note)

    def _tool(self, name: str, text: str, factor: float) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(name, button))
        button.setToolTip(text)
        button.setAccessibleName(text)
        button.clicked.connect(lambda: self.view.zoom(factor) if factor else self.view.fit())
        return button

    def fill(self, shown: Shown) -> None:
        counts = shown.results.matrix(shown.scope)
        moved = shown.labels.moved_matrix(shown.scope)
        self.view.set_matrix(shown.names, counts, moved)
        n = int(moved.sum())
        self.note.setVisible(n > 0)
        if n:
            self.note.setText(
                self.tr(
                    "Measured against the labels as they were at training; "
                    '<a href="moved">{n} of these images are labelled otherwise since</a>.'
                ).format(n=n)
            )
        self._pointed("")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "note"):
            text = self.note.text()
            self.note.clear()  # a link keeps the colour it was written in
            self.note.setText(text)

    def _pointed(self, text: str) -> None:
        several = self.shown is not None and self.shown.several_labels
        plain = self.tr("Click a cell to see its images.")
        if several:
            plain = self.tr(
                "Click a cell to see its images. One with several labels stands in the row of the "
                "predicted one if that is among them, else of its first. Single labels are above."
            )
        self.caption.setText(text or plain)

    def _chosen(self, truth: int, predicted: int) -> None:
        shown = self.shown
        if shown is None:
            return
        rows = shown.results.rows(
            shown.scope,
            truth if truth >= 0 else None,
            predicted if predicted >= 0 else None,
        )
        self.rows_wanted.emit(self._words(shown.names, truth, predicted, len(rows)), rows)

    def _words(self, names: tuple[str, ...], truth: int, predicted: int, n: int) -> str:
        if truth < 0:
            return self.tr("predicted {label}: {n} images").format(label=names[predicted], n=n)
        if predicted < 0:
            return self.tr("true {label}: {n} images").format(label=names[truth], n=n)
        return self.tr("true {truth}, predicted {predicted}: {n} images").format(
            truth=names[truth], predicted=names[predicted], n=n
        )

    def _show_moved(self) -> None:
        shown = self.shown
        if shown is not None:
            rows = shown.results.rows(shown.scope)
            rows = rows[shown.labels.moved()[rows]]
            self.rows_wanted.emit(
                self.tr("labelled otherwise since: {n} images").format(n=len(rows)), rows
            )

    def _title(self) -> str:
        return self.shown.title("confusion") if self.shown is not None else "confusion"

    def _csv(self) -> str:
        return matrix_csv(self.shown.results, self.shown.scope) if self.shown is not None else ""
