"""How accuracy grows with depth: every stage of a start judged by a linear head, as a plot."""

from __future__ import annotations

import csv
import html
import io

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.app.jobs import Done, Task
from workbench.app.transfer.layer_study import layer_studies, layers_task
from workbench.domain.backbones import backbone
from workbench.domain.layer_studies import LayerStudy
from workbench.ui.page import Context
from workbench.ui.train.desk import TrainingDesk
from workbench.ui.train.layer_chart import LayerChart
from workbench.ui.widgets.copying import Copies, picture_of
from workbench.ui.widgets.job_line import JobLine
from workbench.ui.widgets.run_words import percent, start_words


class LayersDialog(QDialog):
    """The studies of a target that there are for the backbone, the one of `start` first; one button
    makes it, or makes it anew. `words` names starts."""

    def __init__(
        self,
        context: Context,
        target: str,
        start: str,
        name: str,
        words: dict[str, str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Accuracy by depth of {0}").format(backbone(name).title))
        self.resize(760, 480)
        self._context, self._target, self._start = context, target, start
        self._backbone, self._words = name, words
        self.studies: list[LayerStudy] = []
        self.said = QLabel()
        self.said.setProperty("role", "muted")
        self.said.setWordWrap(True)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.chart = LayerChart()
        self.study = QPushButton()
        self.job = JobLine(context, self._task, self.study, self.said, self)
        self.job.over.connect(self._over)
        self.copies = Copies(
            self.chart,
            lambda: f"{self._backbone} by depth",
            lambda: picture_of(self._plot),
            self.csv,
            context.notify,
        )
        self._lay_out()
        self._show()

    def _lay_out(self) -> None:
        self._plot = QWidget()  # what a saved picture holds: the lines and what they are
        inside = QVBoxLayout(self._plot)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(8)
        inside.addWidget(self.legend)
        inside.addWidget(self.chart, 1)
        close = QPushButton(self.tr("Close"))
        close.clicked.connect(self.reject)
        below = QHBoxLayout()
        below.setSpacing(8)
        self.export = self.copies.button(self)
        below.addWidget(self.export)
        below.addStretch(1)
        below.addWidget(self.study)
        below.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addWidget(self.said)
        column.addWidget(self._plot, 1)
        column.addLayout(below)

    def _show(self) -> None:
        known = layer_studies(self._context.op, self._target, self._backbone)
        self.studies = sorted(known, key=lambda study: study.start != self._start)
        self._plot.setVisible(bool(self.studies))
        self.export.setEnabled(bool(self.studies))
        self.chart.show_studies(self.studies, [self._name(study) for study in self.studies])
        self._write_legend()
        own = next((study for study in self.studies if study.start == self._start), None)
        self.study.setText(self.tr("Study again") if own is not None else self.tr("Study"))
        self.study.setProperty("primary", own is None)
        self.study.style().polish(self.study)
        self._say(own)

    def _write_legend(self) -> None:
        signs = [
            f'<span style="color:{self.chart.colour(at).name()}">{"●■"[at % 2]}</span> '
            f"{html.escape(self._name(study))}"
            for at, study in enumerate(self.studies)
        ]
        self.legend.setText(" &nbsp; ".join(signs))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "legend"):
            self._write_legend()

    def _name(self, study: LayerStudy) -> str:
        return self._words.get(study.start, start_words(study.start))

    def _say(self, own: LayerStudy | None) -> None:
        if own is None:
            self.said.setText(
                self.tr(
                    "A linear head is trained on what every stage of {0} makes of the images: how "
                    "far the labels can be told at each depth, before anything is fine-tuned."
                ).format(self._words.get(self._start, self._start))
            )
            return
        found, best = own.found, own.found.best
        text = self.tr(
            "{0}: {1} says most, {2} of {3} held-out images right; heads learned from {4} images "
            "of {5} classes."
        )
        said = (self._name(own), best.stage, percent(best.top1), found.held_out_images)
        self.said.setText(text.format(*said, found.train_images, found.classes))

    def _task(self) -> Task:
        return layers_task(self._context.op, self._target, self._start, self._backbone)

    def _over(self, outcome: object) -> None:
        self._show()
        if not isinstance(outcome, Done):
            self.said.setText(self.tr("Stopped."))

    def csv(self) -> str:
        """Every stage of every study as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("start", "stage", "features", "train_top1", "top1"))
        for study in self.studies:
            for one in study.found.layers:
                writer.writerow((study.start, one.stage, one.features, one.train_top1, one.top1))
        return text.getvalue()

    def done(self, result: int) -> None:
        self.job.stop()
        super().done(result)


def open_layers(context: Context, desk: TrainingDesk, page: QWidget) -> LayersDialog:
    """The dialog over a page, for the backbone and the start of its draft."""
    draft = desk.draft
    start, name = str(draft.value("start")), str(draft.value("backbone"))
    words = {"imagenet": page.tr("ImageNet"), "none": page.tr("Nothing: random weights")}
    words |= {f"run:{run}": named for run, named in desk.start_runs()}
    words.setdefault(start, start_words(start))
    dialog = LayersDialog(context, str(draft.value("target")), start, name, words, page)
    dialog.open()
    return dialog
