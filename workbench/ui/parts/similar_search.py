"""Find similar: orders the images of a page as its filter specifies, and offers the features by
which they are compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from workbench.app.jobs import Done, Job, Outcome
from workbench.app.similar.browsing import ImageList
from workbench.app.similar.features import feature_source, feature_sources
from workbench.app.similar.similarity import Ranking, similar_task
from workbench.domain.images import Similar
from workbench.domain.reports import Progress, Report
from workbench.domain.text import plural, tr
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import Context
from workbench.ui.parts.filter_bar import FilterBar
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.tiles import ImageTiles


class FeatureLine(QWidget):
    """The choice of the network whose features are compared, and the progress of computing them.

    `chosen(name)` is emitted when another network is chosen.
    """

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        caption = QLabel(tr("Features"))
        caption.setProperty("role", "muted")
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Features by which images are compared"))
        self.box.setMinimumContentsLength(16)
        self.box.setMaximumWidth(280)
        self.box.activated.connect(lambda _: self.chosen.emit(self.box.currentData()))
        self.status = PlainLabel()
        self.status.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (caption, self.box, self.status):
            row.addWidget(widget)
        self.show_status("")
        self.hide()

    def show_status(self, text: str) -> None:
        """Show the progress or result of computing the features; "" hides it."""
        self.status.setText(text)
        self.status.setVisible(bool(text))

    def show_sources(self, sources: Sequence[tuple[str, str]], name: str) -> None:
        """Show the networks, as (name, title), with `name` chosen."""
        self.box.clear()
        for source, title in sources:
            self.box.addItem(title, source)
        self.box.setCurrentIndex(self.box.findData(name))


class SimilarSearch(QObject):
    """The similarity searches of a page; `ranked()` is emitted when the order has changed."""

    ranked = Signal()

    def __init__(
        self,
        context: Context,
        bar: FilterBar,
        images: ImageList,
        tiles: ImageTiles,
        order: QComboBox,
    ) -> None:
        super().__init__(bar)
        self._context, self._bar, self._images, self._tiles = context, bar, images, tiles
        self._order = order
        self._previous_order = 0  # index of the order that similarity replaces
        self._job: Job[Ranking] | None = None
        self._search: Similar | None = None
        self._shown: Ranking | None = None
        self.line = FeatureLine()
        self.line.chosen.connect(self._compare_by)
        bar.add_after_chips(self.line)

    def find(self, ids: Sequence[int]) -> None:
        """Order the page's images by similarity to these; no effect without ids."""
        if not ids:
            return
        with self._context.reporting_errors("warn"):
            source = feature_source(self._context.session)
            name = plural(len(ids), "{n:,} image", "{n:,} images")
            if len(ids) == 1:
                name = self._context.session.images.row(int(ids[0])).name
            search = Similar(tuple(int(image) for image in ids), name, source.name)
            self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=search))

    @property
    def pending(self) -> bool:
        """Whether the filter's order is being computed; until then, the images stay in place."""
        current = self._bar.filter
        return current.similar is not None and self._images.ranking(current) is None

    def follow(self) -> None:
        """Start the search that the filter specifies if necessary, and show its result if known."""
        search = self._bar.filter.similar
        if search != self._search:
            self._search = search
            self._cancel()
            if search is not None:
                self._fill(search)
        self.line.setVisible(search is not None)
        self._show_order(search is not None)
        ranking = self._images.ranking(self._bar.filter)
        if ranking is not self._shown:
            self._shown = ranking
            self._tiles.show_scores(None if ranking is None else ranking.by_id())
        if self.pending and self._job is None and search is not None:
            self._start(search)

    def _fill(self, search: Similar) -> None:
        sources = feature_sources(self._context.session)
        known = [(source.name, source.title) for source in sources]
        if search.features not in dict(known):
            known.insert(0, (search.features, search.features))
        self.line.show_sources(known, search.features)
        self.line.show_status("")
        self.line.box.setToolTip("")

    def _start(self, search: Similar) -> None:
        session = self._context.session
        with self._context.reporting_errors("warn"):
            source = feature_source(session, search.features)
            task = similar_task(session, source, search.images, name=search.name)
            self.line.show_status(tr("searching…"))
            self._job = session.start(task, reported=self._show_progress, ended=self._finish)
            return
        self._clear_filter()

    def _cancel(self) -> None:
        """Stop the running search and ignore its outcome."""
        if self._job is not None:
            self._job.reported.disconnect(self._show_progress)
            self._job.ended.disconnect(self._finish)
            self._job.stop()
            self._job = None

    def _show_progress(self, report: Report) -> None:
        if isinstance(report, Progress) and report.total:
            text = tr("{done:,} of {total:,}").format(done=report.done, total=report.total)
            if report.eta is not None:
                text += " · " + tr("{time} left").format(time=clock(report.eta))
            self.line.show_status(text)

    def _finish(self, outcome: Outcome[Ranking]) -> None:
        self._job = None
        self.line.show_status("")
        if not isinstance(outcome, Done) or self._search is None:
            self._clear_filter()
            return
        ranking = outcome.value
        self._images.rank(self._search, ranking)
        tip = plural(
            len(ranking.images),
            "Features of {n:,} image, {size:.1f} MB in the project folder",
            "Features of {n:,} images, {size:.1f} MB in the project folder",
            size=ranking.bytes / 1e6,
        )
        self.line.box.setToolTip(tip)
        if ranking.left_out:
            self.line.show_status(tr("{count:,} without features").format(count=ranking.left_out))
        if ranking.note:
            self._context.notify(tr(ranking.note), "warn")
        self.ranked.emit()

    def _clear_filter(self) -> None:
        """Remove the search from the filter; the images stay in place."""
        self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=None))

    def _compare_by(self, name: str) -> None:
        if self._search is not None and name != self._search.features:
            search = dataclasses.replace(self._search, features=name)
            self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=search))

    def _show_order(self, similar: bool) -> None:
        """Show "by similarity" in the disabled list of orders, or restore the previous order."""
        order = self._order
        if similar == (not order.isEnabled()):
            return
        order.blockSignals(True)
        if similar:
            self._previous_order = order.currentIndex()
            order.addItem(tr("by similarity"), order.currentData())
            order.setCurrentIndex(order.count() - 1)
        else:
            order.setCurrentIndex(self._previous_order)
            order.removeItem(order.count() - 1)
        order.setEnabled(not similar)
        order.blockSignals(False)
