"""Find similar: keeps the order of a page's images in step with what the filter asks for, and says
by which features they are compared."""

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
from workbench.domain.reports import Progress
from workbench.domain.text import tr
from workbench.ui.page import Context
from workbench.ui.parts.filter_bar import FilterBar
from workbench.ui.parts.job_line import clock
from workbench.ui.parts.tiles import ImageTiles


class FeatureLine(QWidget):
    """ "by" and a list of networks to compare by, and how far their features are."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        by = QLabel(tr("by"))
        by.setProperty("role", "muted")
        self.box = QComboBox()
        self.box.setAccessibleName(tr("Features that images are compared by"))
        self.box.setMinimumContentsLength(16)
        self.box.setMaximumWidth(280)
        self.box.activated.connect(lambda _: self.chosen.emit(self.box.currentData()))
        self.words = QLabel()
        self.words.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        for widget in (by, self.box, self.words):
            row.addWidget(widget)
        self.say("")
        self.hide()

    def say(self, words: str) -> None:
        """How far the features are, or what is odd about them."""
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def show_sources(self, sources: Sequence[tuple[str, str]], name: str) -> None:
        """Networks as (name, words), and the one that is used."""
        self.box.clear()
        for source, words in sources:
            self.box.addItem(words, source)
        self.box.setCurrentIndex(self.box.findData(name))


class SimilarSearch(QObject):
    """`ranked()` tells that the list's order is another one now."""

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
        self._before = 0  # place of the order that similarity stands in for
        self._job: Job[Ranking] | None = None
        self._wanted: Similar | None = None
        self._shown: Ranking | None = None
        self.line = FeatureLine()
        self.line.chosen.connect(self._compare_by)
        bar.add_behind(self.line)

    def find(self, ids: Sequence[int]) -> None:
        """Order the page's images by how similar they are to these; nothing for none."""
        if not ids:
            return
        with self._context.reporting_errors("warn"):
            source = feature_source(self._context.session)
            name = tr("{0:,} images").format(len(ids))
            if len(ids) == 1:
                name = self._context.session.images.row(int(ids[0])).name
            wanted = Similar(tuple(int(image) for image in ids), name, source.name)
            self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=wanted))

    @property
    def pending(self) -> bool:
        """Whether the filter asks for an order that is not known yet: nothing moves till then."""
        wanted = self._bar.filter
        return wanted.similar is not None and self._images.ranking(wanted) is None

    def follow(self) -> None:
        """Search for what the filter asks for where that is not known yet, and show what is."""
        wanted = self._bar.filter.similar
        if wanted != self._wanted:
            self._wanted = wanted
            self._leave_off()
            if wanted is not None:
                self._fill(wanted)
        self.line.setVisible(wanted is not None)
        self._say_order(wanted is not None)
        ranking = self._images.ranking(self._bar.filter)
        if ranking is not self._shown:
            self._shown = ranking
            self._tiles.show_scores(None if ranking is None else ranking.by_id())
        if self.pending and self._job is None and wanted is not None:
            self._start(wanted)

    def _fill(self, wanted: Similar) -> None:
        known = [(source.name, source.words) for source in feature_sources(self._context.session)]
        if wanted.features not in dict(known):
            known.insert(0, (wanted.features, wanted.features))
        self.line.show_sources(known, wanted.features)
        self.line.say("")
        self.line.box.setToolTip("")

    def _start(self, wanted: Similar) -> None:
        session = self._context.session
        with self._context.reporting_errors("warn"):
            source = feature_source(session, wanted.features)
            task = similar_task(session, source, wanted.images, name=wanted.name)
            self.line.say(tr("looking…"))
            self._job = session.start(task, reported=self._heard, ended=self._over)
            return
        self._give_up()

    def _leave_off(self) -> None:
        """Nobody waits any longer for the search that is under way."""
        if self._job is not None:
            self._job.reported.disconnect(self._heard)
            self._job.ended.disconnect(self._over)
            self._job.stop()
            self._job = None

    def _heard(self, report: object) -> None:
        if isinstance(report, Progress) and report.total:
            words = tr("{0:,} of {1:,}").format(report.done, report.total)
            left = "" if report.eta is None else tr(" · {0} left").format(clock(report.eta))
            self.line.say(words + left)

    def _over(self, outcome: Outcome[Ranking]) -> None:
        self._job = None
        self.line.say("")
        if not isinstance(outcome, Done) or self._wanted is None:
            self._give_up()
            return
        ranking = outcome.value
        self._images.rank(self._wanted, ranking)
        said = tr("Features of {0:,} images, {1:.1f} MB in the project's folder")
        self.line.box.setToolTip(said.format(len(ranking.images), ranking.bytes / 1e6))
        if ranking.left_out:
            words = tr("{0:,} without features").format(ranking.left_out)
            self.line.say(words)
        if ranking.note:
            self._context.notify(ranking.note, "warn")
        self.ranked.emit()

    def _give_up(self) -> None:
        """The filter as it is without the search; the images stay where they are."""
        self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=None))

    def _compare_by(self, name: str) -> None:
        if self._wanted is not None and name != self._wanted.features:
            wanted = dataclasses.replace(self._wanted, features=name)
            self._bar.set_filter(dataclasses.replace(self._bar.filter, similar=wanted))

    def _say_order(self, similar: bool) -> None:
        """While images stand by similarity the list of orders says so, and waits."""
        order = self._order
        if similar == (not order.isEnabled()):
            return
        order.blockSignals(True)
        if similar:
            self._before = order.currentIndex()
            order.addItem(tr("by similarity"), order.currentData())
            order.setCurrentIndex(order.count() - 1)
        else:
            order.setCurrentIndex(self._before)
            order.removeItem(order.count() - 1)
        order.setEnabled(not similar)
        order.blockSignals(False)
