"""Dialogs on the people who label: one's own name, and a table of all annotators."""

from __future__ import annotations

import getpass
from functools import partial
from math import isnan

from PySide6.QtWidgets import (
    QComboBox,
    QDialogButtonBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from workbench.app.labels.annotators import (
    AgreementRow,
    SetAgreement,
    agreement,
    annotator_table,
    decide,
    not_rated,
    rated_sets,
    unrated_sets,
)
from workbench.app.session import Session
from workbench.app.settings import MOST_REPEATS, UserSettings
from workbench.domain.images import ImageFilter
from workbench.domain.label_names import tidied
from workbench.domain.text import plural, tr
from workbench.ui.page import Context
from workbench.ui.parts.copying import Copies
from workbench.ui.parts.dialog import Dialog
from workbench.ui.parts.figure_table import Column, Figure, FigureTable, figure
from workbench.ui.parts.run_texts import when


def system_name() -> str:
    """The name of the system's user, or "" if it is unknown."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user, or no names of users (Windows)
        return ""


class AnnotatorDialog(Dialog):
    """Choice of the name that is stored with labels given by hand; empty for none."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Annotator"))
        self.setMinimumWidth(380)
        offered = dict.fromkeys([*session.annotators.names().values(), system_name()])
        self.box = QComboBox()
        self.box.setEditable(True)
        self.box.addItems([name for name in offered if name])
        self.box.setCurrentText(session.annotator)
        field = self.box.lineEdit()
        assert field is not None
        field.setPlaceholderText(tr("No name"))
        field.setClearButtonEnabled(True)
        field.selectAll()
        note = QLabel(
            tr(
                "The name is stored with each label that you give by hand from now on, in every "
                "project opened on this computer. Leave it empty to store none."
            )
        )
        note.setProperty("role", "muted")
        note.setWordWrap(True)
        label = QLabel(tr("Who labels?"))
        label.setBuddy(self.box)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setProperty("primary", True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        for widget in (label, self.box, note):
            layout.addWidget(widget)
        layout.addLayout(self._repeats_line(session.repeat_share))
        layout.addWidget(buttons)

    def _repeats_line(self, share: int) -> QHBoxLayout:
        self.repeats = QSpinBox()
        self.repeats.setRange(0, MOST_REPEATS)
        self.repeats.setSingleStep(5)
        self.repeats.setSuffix(tr(" %", "percent"))
        self.repeats.setSpecialValueText(tr("None", "hidden repeats"))
        self.repeats.setValue(share)
        self.repeats.setToolTip(
            tr("Views shows some of your images again without their label, to compare your labels")
        )
        hidden = QLabel(tr("Hidden repeats"))
        hidden.setBuddy(self.repeats)
        line = QHBoxLayout()
        line.addWidget(hidden)
        line.addWidget(self.repeats)
        line.addStretch(1)
        return line

    @property
    def name(self) -> str:
        """The chosen name, "" for none."""
        return tidied(self.box.currentText())


def choose_annotator(session: Session, settings: UserSettings, parent: QWidget) -> None:
    """Choose the name in a dialog, for the open project and as the user's setting."""
    dialog = AnnotatorDialog(session, parent)
    if dialog.exec():
        chosen = (dialog.name, dialog.repeats.value())
        settings.set_annotator(*chosen)
        session.set_annotator(*chosen)
    dialog.deleteLater()


class AnnotatorsDialog(Dialog):
    """Who labelled how much, how well people agree on a label set, and what they disagree on.

    A click on a person shows the images that the person labelled.
    """

    def __init__(self, context: Context, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Annotators and agreement"))
        self.resize(760, 620)
        self._context = context
        self._found = SetAgreement("")
        self._make_tables()
        self.sets = QComboBox()
        self.sets.addItems([*rated_sets(context.session), *unrated_sets(context.session)])
        self.sets.currentTextChanged.connect(self._show_agreement)
        self.title, self.hint = QLabel(), QLabel()
        self.title.setProperty("role", "heading")
        self.hint.setProperty("role", "muted")
        self.hint.setWordWrap(True)
        self.images_button = QPushButton(tr("Show these images"))
        self.images_button.clicked.connect(self._show_images)
        self.label = QComboBox()
        self.decide_button = QPushButton(tr("Decide"))
        self.decide_button.setToolTip(
            tr("Give the selected image this label; everyone's own label stays known")
        )
        self.decide_button.clicked.connect(self._decide)
        self._arrange()
        self._fill_people()
        self._show_most_rated()

    def _make_tables(self) -> None:
        self.people = FigureTable(
            (
                Column(tr("Annotator")),
                Column(tr("Labels"), "count"),
                Column(tr("Images"), "count"),
                Column(
                    tr("Images an hour"),
                    "figure",
                    tr("Without pauses of more than five minutes, and images labelled together"),
                ),
                Column(tr("Last label"), "figure"),
            )
        )
        self.kappas = FigureTable(
            (
                Column(tr("Between")),
                Column(tr("Images"), "count", tr("Images that these people labelled")),
                Column(tr("Equal"), "share", tr("Share of equal labels")),
                Column(tr("Kappa"), "figure", tr("Agreement beyond chance: 1 is full agreement")),
                Column(tr("95 % interval"), "figure"),
            )
        )
        self.disputes = FigureTable(
            (Column(tr("Image")), Column(tr("Labels")), Column(tr("Current label")))
        )
        self.people.give_first_room()
        self.kappas.give_first_room()
        self.disputes.horizontalHeader().setSectionResizeMode(
            2, QHeaderView.ResizeMode.ResizeToContents
        )
        self.people.picked.connect(self._show_person)
        self.disputes.picked.connect(self._offer)
        for table, name in (
            (self.people, tr("annotators", "file name")),
            (self.kappas, tr("agreement", "file name")),
            (self.disputes, tr("disagreements", "file name")),
        ):
            Copies(table, partial(str, name), None, table.csv, self._context.notify)

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.addWidget(QLabel(tr("Agreement on")))
        line.addWidget(self.sets)
        line.addStretch(1)
        settle = QHBoxLayout()
        settle.addWidget(self.images_button)
        settle.addStretch(1)
        settle.addWidget(self.label)
        settle.addWidget(self.decide_button)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.people, 2)
        layout.addLayout(line)
        layout.addWidget(self.hint)
        layout.addWidget(self.kappas, 2)
        layout.addWidget(self.title)
        layout.addWidget(self.disputes, 3)
        layout.addLayout(settle)
        layout.addWidget(buttons)

    def _fill_people(self) -> None:
        self._rows = annotator_table(self._context.session)
        self.people.set_rows(
            [
                (
                    row.name,
                    row.labels,
                    row.images,
                    _hourly(row.images_an_hour),
                    Figure(row.last, when(row.last)),
                )
                for row in self._rows
            ]
        )

    def _show_most_rated(self) -> None:
        """Show the label set on which most people agree or disagree."""
        session = self._context.session
        found = {name: agreement(session, name) for name in rated_sets(session)}
        best = max(found, key=lambda name: len(found[name].rows), default="")
        self.sets.setCurrentText(best)
        self._show_agreement(best)

    def _show_agreement(self, label_set: str) -> None:
        if not label_set:
            return
        rated = self._context.session.labels.get(label_set).exclusive
        found = agreement(self._context.session, label_set) if rated else SetAgreement(label_set)
        self._found = found
        self.kappas.set_rows([_cells(row) for row in found.rows])
        self.kappas.setVisible(bool(found.rows))
        hint = " ".join(tr(note) for note in found.notes())
        if not rated:
            hint = tr(not_rated(label_set).message)
        elif not self._rows:
            hint = tr("No label carries a name. Choose yours in Label → Annotator….")
        elif not found.rows:
            hint = tr("No two people have labelled the same images, and nobody has repeats.")
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self._show_disputes(found)

    def _show_disputes(self, found: SetAgreement) -> None:
        images = {one.image for one in found.disagreements}
        names = {row.id: row.name for row in self._context.session.images.rows(images)}
        self.disputes.set_rows(
            [
                (
                    names.get(one.image, ""),
                    ", ".join(f"{name}: {label}" for name, label in one.opinions),
                    one.current or "–",
                )
                for one in found.disagreements
            ]
        )
        count = len(found.disagreements)
        self.title.setText(plural(count, "{n:,} disagreement", "{n:,} disagreements"))
        for widget in (self.title, self.disputes, self.images_button):
            widget.setVisible(bool(count))
        for choice in (self.label, self.decide_button):
            choice.setVisible(bool(count))
            choice.setEnabled(False)

    def _offer(self, row: int) -> None:
        """Offer the labels of the set for the selected disagreement, its current one first."""
        one = self._found.disagreements[row]
        given = [label for _, label in one.opinions]
        known = self._context.session.labels.get(self._found.label_set).names
        self.label.clear()
        self.label.addItems(list(dict.fromkeys([one.current or given[0], *given, *known])))
        for widget in (self.label, self.decide_button):
            widget.setEnabled(True)

    def _decide(self) -> None:
        row = self.disputes.source_row(self.disputes.currentIndex())
        with self._context.reporting_errors():
            one = self._found.disagreements[row]
            decide(self._context.session, one, self._found.label_set, self.label.currentText())
        self._show_agreement(self._found.label_set)

    def _show_images(self) -> None:
        ids = tuple(dict.fromkeys(one.image for one in self._found.disagreements))
        name = tr("disagreements on {name}").format(name=self._found.label_set)
        self._context.go("images", filter=ImageFilter(ids=ids, ids_name=name))
        self.accept()

    def _show_person(self, row: int) -> None:
        self._context.go("images", filter=ImageFilter(annotator=self._rows[row].name))
        self.accept()


def _hourly(images: float) -> Figure:
    return figure(None) if isnan(images) else Figure(images, f"{images:,.0f}")


def _cells(row: AgreementRow) -> tuple[str, int, float, Figure, Figure]:
    found = row.found
    if len(row.people) == 1:
        who = tr("{name}, repeated").format(name=row.people[0])
    elif len(row.people) == 2:
        who = " – ".join(row.people)
    else:
        who = plural(len(row.people), "{n:,} person, Fleiss", "all {n:,} people, Fleiss")
    interval = figure(found.low)
    if not isnan(found.low):
        low, high = figure(found.low).text, figure(found.high).text
        text = tr("{low} to {high}").format(low=low, high=high)
        interval = Figure(found.low, text)
    return who, found.count, found.share, figure(found.kappa), interval
