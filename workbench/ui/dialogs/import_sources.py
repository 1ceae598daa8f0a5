"""What was recognised in one source of an import, and as what its labels are imported."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QInputDialog,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.images.import_plan import FOLDERS
from workbench.app.images.preview import SetPreview, SourcePreview
from workbench.app.labels.reading import ReadChoices
from workbench.domain.datasets import MAIN_SET
from workbench.domain.label_names import LabelNames, tidied
from workbench.domain.text import plural, tr
from workbench.formats import FORMATS
from workbench.ui.look.markup import PlainLabel
from workbench.ui.page import boxed, column, row
from workbench.ui.parts.elided import ElidedLabel

ENCODINGS = ("cp1252", "gb18030", "shift_jis", "utf-16", "big5", "euc_kr", "cp1251")
_NAME_WIDTH, _LABELS_WIDTH, _SET_WIDTH = 140, 90, 190  # pixels
_ASK_NAME = "\n"  # data of the entry that asks for the name of a new label set
_UNICODE = frozenset({"", "utf-8"})


class CalmComboBox(QComboBox):
    """A combo box that the wheel changes only if it has the focus, so that a list of them can be
    scrolled."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class TargetBox(CalmComboBox):
    """The label set that a set, column or level of a source is imported as."""

    def __init__(self, shown: SetPreview, name: str, sets: Iterable[str]) -> None:
        """`name` is suggested for a new label set ("": none); `sets` are those of the project."""
        super().__init__()
        self._names = LabelNames(sets)
        self.addItem(tr("Not imported"), "")
        for known in sets:
            self.addItem(known, known)
        if name and self._names.equal(name) is None:
            self._add_new(tidied(name))
        self.insertSeparator(self.count())
        self.addItem(tr("New label set…"), _ASK_NAME)
        self._choose(shown.suggested)
        self._last = self.currentIndex()
        self.activated.connect(self._chosen)

    def target(self) -> str:
        """The chosen label set, "" if the labels are not imported."""
        return str(self.currentData())

    def _add_new(self, name: str) -> int:
        at = self.findData(_ASK_NAME) - 1  # before the separator
        at = at if at >= 0 else self.count()
        self.insertItem(at, tr("New set “{name}”").format(name=name), name)
        return at

    def _choose(self, name: str) -> None:
        at = self.findData(name)
        self.setCurrentIndex(at if at >= 0 else self._add_new(name))

    def _chosen(self, at: int) -> None:
        if self.itemData(at) != _ASK_NAME:
            self._last = at
            return
        self.setCurrentIndex(self._last)
        written, ok = QInputDialog.getText(self, tr("New label set"), tr("Name of the label set"))
        if name := self._names.equal_or_new(written) if ok else "":
            self._choose(name)
            self._last = self.currentIndex()


class SourceSection(QFrame):
    """Format, facts, encoding and label sets of one source.

    `changed` is emitted if whether it can be imported may have changed, `read_again` with the new
    choices if the source must be read again.
    """

    changed = Signal()
    read_again = Signal(object)

    def __init__(self, sets: Iterable[str], labels_only: bool) -> None:
        """`sets` are the label sets of the project; see `preview_task` for `labels_only`."""
        super().__init__()
        self.setProperty("role", "card")
        self._sets, self._labels_only = tuple(sets), labels_only
        self._content: QWidget | None = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 10, 12, 12)
        self.preview = SourcePreview(())
        self.targets: list[TargetBox] = []
        self.format = CalmComboBox()
        self.encoding = CalmComboBox()
        self.confirmed = QCheckBox()
        self.root_button = QPushButton()
        self._changed = ""  # the choice for which the source is read again
        self._encoding = ""  # chosen by the user
        self._root: Path | None = None

    def show_preview(self, preview: SourcePreview) -> None:
        """Show what was recognised, in place of what was shown before."""
        if self._content is not None:
            self._content.hide()
            self._content.deleteLater()
        self.preview = preview
        parts = [self._header(), *self._facts()]
        parts += [self._root_line()] if self._has_root() else []
        self.confirmed = QCheckBox(tr("These labels are right"))
        self.confirmed.setMinimumWidth(self.confirmed.sizeHint().width() + 12)
        self.confirmed.toggled.connect(self.changed)
        if self._has_encoding():
            parts.append(self._encoding_lines())
        parts += [self._table()] if preview.sets else []
        self._content = boxed(column(*parts, spacing=8))
        self._column.addWidget(self._content)
        self._content.show()
        widgets = {"format": self.format, "encoding": self.encoding, "root": self.root_button}
        if self._changed:
            widgets[self._changed].setFocus()
        self.changed.emit()

    # Whether and how it is imported

    @property
    def importable(self) -> bool:
        """Whether there is anything to import."""
        return not self.preview.problem and bool(self.preview.images)

    @property
    def unconfirmed(self) -> bool:
        """Whether the user must confirm that the labels are decoded as they should."""
        return self.importable and self.preview.guessed and not self.confirmed.isChecked()

    def choices(self) -> ReadChoices:
        """What was chosen for the source."""
        chosen = tuple(box.target() for box in self.targets)
        if self.preview.plain:
            return ReadChoices(format=self.preview.format and FOLDERS[0], levels=chosen)
        own = (one.own for one in self.preview.sets)
        return ReadChoices(
            self.preview.format,
            self.preview.encoding if self.preview.guessed else self._encoding,
            self._root,
            sets=dict(zip(own, chosen, strict=True)),
        )

    def _read_again(self, changed: str, format: str) -> None:
        self._changed = changed
        self.read_again.emit(ReadChoices(format, self._encoding, self._root))

    def _choose_format(self) -> None:
        self._encoding, self._root = "", None
        self._read_again("format", self.format.currentData())

    # Lines

    def _header(self) -> QWidget:
        paths, formats = self.preview.paths, self.preview.formats
        name = ElidedLabel(paths[0].name or str(paths[0]))
        if len(paths) > 1:
            title = plural(len(paths), "{n:,} folder or image", "{n:,} folders and images")
            name = ElidedLabel(title)
        name.setProperty("role", "heading")
        self.format = CalmComboBox()
        self.format.setAccessibleName(tr("Format"))
        self.format.setMinimumWidth(_SET_WIDTH)
        for one in formats:
            self.format.addItem(tr(FORMATS[one].title), one)
        self.format.setCurrentIndex(self.format.findData(self.preview.format))
        self.format.activated.connect(self._choose_format)
        label = QLabel(tr("Format"))
        label.setProperty("role", "muted")
        place = ElidedLabel(", ".join(map(str, paths)))
        place.setProperty("role", "caption")
        line = row((name, 1), *((label, self.format) if formats else ()), spacing=8)
        return boxed(column(line, place, spacing=2))

    def _facts(self) -> list[QWidget]:
        one = self.preview
        if one.problem:
            return [_line(tr(one.problem), "bad")]
        found = [plural(one.images, "{n:,} image", "{n:,} images")]
        if not one.complete:
            found = [tr("More than {n:,} images").format(n=one.images)]
        if self._labels_only:
            found.append(
                plural(
                    one.found,
                    "{n:,} is an image of this project",
                    "{n:,} are images of this project",
                )
            )
        parts = ", ".join(f"{tr(part)} {count:,}" for part, count in one.parts.items())
        found += [tr("Parts: {parts}").format(parts=parts)] if parts else []
        lines = [_line(" · ".join(found), "muted")]
        return [*lines, *(_line(text, "warn") for text in self._warnings()),
                *(_line(tr(text), "caption") for text in one.remarks)]  # fmt: skip

    def _warnings(self) -> list[str]:
        one, found = self.preview, []
        missing = one.checked - one.found
        if missing and not self._labels_only:
            text = tr("Files of {missing:,} of {checked:,} images are not found below {folder}.")
            found.append(text.format(missing=missing, checked=one.checked, folder=one.base))
        if one.rejected:
            some = "; ".join(f"{each.path}: {tr(each.reason)}" for each in one.examples)
            found.append(
                plural(
                    one.rejected,
                    "{n:,} file or row is skipped: {examples}",
                    "{n:,} files or rows are skipped: {examples}",
                    examples=some,
                )
            )
        return found

    def _has_root(self) -> bool:
        return self.preview.base is not None and not self._labels_only

    def _root_line(self) -> QWidget:
        base = ElidedLabel(str(self.preview.base))
        self.root_button = QPushButton(tr("Change…"))
        self.root_button.setAutoDefault(False)
        self.root_button.setAccessibleName(tr("Paths are relative to"))
        self.root_button.clicked.connect(self._choose_root)
        label = QLabel(tr("Paths are relative to"))
        label.setFixedWidth(_NAME_WIDTH)
        return boxed(row(label, (base, 1), self.root_button, spacing=12))

    def _choose_root(self) -> None:
        chosen = QFileDialog.getExistingDirectory(
            self, tr("Paths are relative to"), str(self.preview.base)
        )
        if chosen:
            self._root = Path(chosen)
            self._read_again("root", self.preview.format)

    # Encoding

    def _has_encoding(self) -> bool:
        return bool(self._encoding) or self.preview.guessed or self.preview.encoding not in _UNICODE

    def _encoding_lines(self) -> QWidget:
        now = self.preview.encoding
        names = dict.fromkeys([now, *ENCODINGS, "utf-8"] if now else ENCODINGS)
        self.encoding = CalmComboBox()
        self.encoding.setAccessibleName(tr("Encoding"))
        self.encoding.setMinimumWidth(_SET_WIDTH)
        for name in names:
            if name == now or codecs.lookup(name).name != _codec(now):
                self.encoding.addItem(name, name)
        self.encoding.setCurrentIndex(self.encoding.findData(now))
        self.encoding.activated.connect(self._choose_encoding)
        samples = ElidedLabel(", ".join(f"“{text}”" for text in self.preview.samples),
                              Qt.TextElideMode.ElideRight)  # fmt: skip
        label = QLabel(tr("Encoding"))
        label.setFixedWidth(_NAME_WIDTH)
        line = row(label, (samples, 1), self.encoding, spacing=12)
        if not self.preview.guessed:
            return boxed(line)
        note = _line(tr("The encoding was guessed. Are these labels right?"), "warn")
        below = row((note, 1), self.confirmed, spacing=12)
        return boxed(column(line, below, spacing=4))

    def _choose_encoding(self) -> None:
        self._encoding = self.encoding.currentData()
        self._read_again("encoding", self.preview.format)

    # Label sets

    def _table(self) -> QWidget:
        grid = QGridLayout()
        grid.setContentsMargins(0, 4, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(6)
        width = self._names_width()
        grid.setColumnStretch(1, 1)
        title = tr("Folders") if self.preview.plain else tr("In the file")
        for at, text in enumerate((title, tr("Labels"), tr("Import as"))):
            head = QLabel(text)
            head.setProperty("role", "caption")
            grid.addWidget(head, 0, at)
        self.targets = []
        for at, one in enumerate(self.preview.sets, start=1):
            name = ElidedLabel(self._title(one), Qt.TextElideMode.ElideRight)
            name.setFixedWidth(width)
            own = "" if self.preview.plain else one.own
            box = TargetBox(one, own, self._sets)
            box.setFixedWidth(_SET_WIDTH)
            box.setAccessibleName(tr("Import {name} as").format(name=self._title(one)))
            box.activated.connect(self.changed)
            self.targets.append(box)
            grid.addWidget(name, at, 0)
            grid.addWidget(_labels_of(one), at, 1)
            grid.addWidget(box, at, 2)
        return boxed(grid)

    def _names_width(self) -> int:
        """Width in pixels of the column of names, so that most are not elided."""
        titles = (self._title(one) for one in self.preview.sets)
        widest = max(self.fontMetrics().horizontalAdvance(title) for title in titles)
        return max(_NAME_WIDTH, min(widest + 8, 240))

    def _title(self, one: SetPreview) -> str:
        if self.preview.plain:
            if len(self.preview.sets) == 1:
                return tr("Folder names")
            return tr("Level {number}", "of folders").format(number=int(one.own) + 1)
        return tr("Labels") if one.own == MAIN_SET else one.own


def _labels_of(one: SetPreview) -> QWidget:
    labels = ElidedLabel(", ".join(one.labels) or tr("No labels"), Qt.TextElideMode.ElideRight)
    labels.setMinimumWidth(_LABELS_WIDTH)
    count = QLabel(plural(one.count, "{n:,} label", "{n:,} labels") if one.count else "")
    count.setProperty("role", "muted")
    return boxed(row((labels, 1), count, spacing=8))


def _line(text: str, role: str) -> QLabel:
    label = PlainLabel(text)
    label.setProperty("role", role)
    label.setWordWrap(True)
    return label


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return name
