"""The manual in the window: pages of Markdown that ship with the program, read offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextFormat,
    QTextTable,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.theme import Theme

MANUAL = Path(__file__).resolve().parents[3] / "resources" / "manual"
FIRST = "index"  # the page with the contents
SPACE = 8  # pixels below a paragraph
_LINK = re.compile(r"\[([^\]]+)\]\((\w[\w-]*)\.md\)")
_NAME = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class ManualPage:
    """A page: the stem of its file, its title in the contents, and its text in Markdown."""

    name: str
    title: str
    text: str


def manual_pages(folder: Path = MANUAL) -> list[ManualPage]:
    """The pages in the order of the contents, which are the first. Raises OSError where a file
    cannot be read."""

    def read(name: str) -> str:
        return (folder / f"{name}.md").read_text(encoding="utf-8")

    contents = read(FIRST)
    titles = {FIRST: "Contents", **{name: title for title, name in _LINK.findall(contents)}}
    return [ManualPage(name, title, read(name)) for name, title in titles.items()]


def slug(title: str) -> str:
    """The anchor of a heading: lower case, hyphens for spaces, no punctuation."""
    kept = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return kept.replace(" ", "-")


def _is_code(block: QTextBlock) -> bool:
    return block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)


class ManualBrowser(QTextBrowser):
    """Shows pages; links lead to pages and headings, and the history goes back."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenExternalLinks(False)
        self.page_name = ""  # the page that is shown
        self._links = QColor()  # the colour of its links, which it keeps from when it was loaded
        self.sourceChanged.connect(self._loaded)

    def show_page(self, name: str) -> None:
        """Show a page of the manual from its top."""
        self.setSource(QUrl.fromLocalFile(str(MANUAL / f"{name}.md")))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        changed = event.type() == QEvent.Type.PaletteChange and self.page_name
        if changed and self._links != self.palette().link().color():
            at = self.verticalScrollBar().value()
            self.reload()
            self.verticalScrollBar().setValue(at)

    def _loaded(self, source: QUrl) -> None:
        """Lay out a page that was loaded. Qt's `source` is still the former one now."""
        self.page_name = Path(source.path()).stem
        self._links = self.palette().link().color()
        self.document().setDocumentMargin(16)
        whole = QTextCursor(self.document())
        whole.beginEditBlock()  # Qt lays the page out once, not for each block
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._lay_out_table(frame)
        for block in self._blocks():
            self._lay_out_block(block)
        whole.endEditBlock()
        if source.hasFragment():
            self._scroll_to(source.fragment())

    def _blocks(self) -> Iterator[QTextBlock]:
        block = self.document().begin()
        while block.isValid():
            yield block
            block = block.next()

    def _lay_out_table(self, table: QTextTable) -> None:
        format = table.format().toTableFormat()
        format.setCellPadding(6)
        format.setBorderBrush(Theme.of(self).line)
        format.setTopMargin(SPACE)
        format.setBottomMargin(SPACE)
        table.setFormat(format)

    def _lay_out_block(self, block: QTextBlock) -> None:
        """Room around headings and paragraphs, a ground under code."""
        cursor, format = QTextCursor(block), block.blockFormat()
        if cursor.currentTable() is not None:
            return
        if format.headingLevel():
            format.setTopMargin(2 * SPACE)
            bold = QTextCharFormat()
            bold.setFontWeight(QFont.Weight.Bold)
            cursor.movePosition(cursor.MoveOperation.EndOfBlock, cursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(bold)
        code = _is_code(block)
        if code:
            format.setBackground(Theme.of(self).hover)
        if block.textList() is None and not (code and _is_code(block.next())):
            format.setBottomMargin(SPACE)
        cursor.setBlockFormat(format)

    def _scroll_to(self, anchor: str) -> None:
        for block in self._blocks():
            if block.blockFormat().headingLevel() and slug(block.text()) == anchor:
                self.setTextCursor(QTextCursor(self.document().lastBlock()))
                self.setTextCursor(QTextCursor(block))  # now the heading is at the top
                return


class ManualDialog(QDialog):
    """Contents and search at the left, the page at the right. The window stays usable beside it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Manual"))
        self.resize(1000, 720)
        self._texts = {page.name: page.text.casefold() for page in manual_pages()}
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Search the manual"))
        self.field.setAccessibleName(tr("Search the manual"))
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self._find)
        self.contents = self._contents()
        self.browser = ManualBrowser()
        self.browser.sourceChanged.connect(self._mark)
        self._arrange()

    def _contents(self) -> QListWidget:
        contents = QListWidget()
        contents.setAccessibleName(tr("Pages"))
        for page in manual_pages():
            item = QListWidgetItem(page.title)
            item.setData(_NAME, page.name)
            contents.addItem(item)
        contents.currentItemChanged.connect(self._open)
        return contents

    def _arrange(self) -> None:
        back = QPushButton(icon("arrow-left", self), tr("Back"))
        back.setEnabled(False)
        back.clicked.connect(self.browser.backward)
        self.browser.backwardAvailable.connect(back.setEnabled)
        self.back = back
        close = QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        for button in (back, close):
            button.setAutoDefault(False)  # Return belongs to the search field
        buttons = QHBoxLayout()
        buttons.addWidget(back)
        buttons.addStretch(1)
        buttons.addWidget(close)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.field)
        column.addWidget(self.contents, 1)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(left)
        splitter.addWidget(self.browser)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([240, 760])
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 16, 16, 16)
        whole.setSpacing(12)
        whole.addWidget(splitter, 1)
        whole.addLayout(buttons)

    def show_page(self, name: str) -> None:
        """Show a page of the manual; the contents for a name that no page has."""
        self.browser.show_page(name if name in self._texts else FIRST)

    def _open(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(_NAME) != self.browser.page_name:
            self.browser.show_page(item.data(_NAME))

    def _mark(self) -> None:
        for row in range(self.contents.count()):
            item = self.contents.item(row)
            if item is not None and item.data(_NAME) == self.browser.page_name:
                self.contents.setCurrentItem(item)

    def _search(self, text: str) -> None:
        words = text.casefold().split()
        for row in range(self.contents.count()):
            item = self.contents.item(row)
            if item is not None:
                found = all(word in self._texts[item.data(_NAME)] for word in words)
                item.setHidden(not found)

    def _find(self) -> None:
        """Go to the next place of the text: on this page, else on the next page that has it."""
        text = self.field.text()
        if not text or self.browser.find(text):
            return
        shown = [
            item.data(_NAME)
            for row in range(self.contents.count())
            if (item := self.contents.item(row)) is not None and not item.isHidden()
        ]
        here = self.browser.page_name
        after = shown[shown.index(here) + 1 :] + shown if here in shown else shown
        if after:
            self.browser.show_page(after[0])
            self.browser.find(text)
