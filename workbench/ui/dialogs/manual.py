"""Manual: the Markdown pages that ship with the program, shown offline."""

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
from workbench.ui.parts.dialog import Dialog

MANUAL = Path(__file__).resolve().parents[3] / "resources" / "manual"
FIRST = "index"  # page with the table of contents
SPACE = 8  # pixels below a paragraph
_LINK = re.compile(r"\[([^\]]+)\]\((\w[\w-]*)\.md\)")
_NAME = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class ManualPage:
    """A page: the stem of its file, its title in the table of contents, and its Markdown text."""

    name: str
    title: str
    text: str


def manual_pages(folder: Path = MANUAL) -> list[ManualPage]:
    """Return the pages in the order of the table of contents, which comes first.

    Raises OSError if a file cannot be read.
    """

    def read(name: str) -> str:
        return (folder / f"{name}.md").read_text(encoding="utf-8")

    contents = read(FIRST)
    titles = {FIRST: tr("Contents"), **{name: title for title, name in _LINK.findall(contents)}}
    return [ManualPage(name, title, read(name)) for name, title in titles.items()]


def slug(title: str) -> str:
    """Return the anchor of a heading: lower case, hyphens for spaces, no punctuation."""
    plain = "".join(c for c in title.lower() if c.isalnum() or c in " -_")
    return plain.replace(" ", "-")


def _is_code(block: QTextBlock) -> bool:
    return block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence)


class ManualBrowser(QTextBrowser):
    """Browser of the pages, with links to pages and headings and a history."""

    def __init__(self) -> None:
        super().__init__()
        self.setOpenExternalLinks(False)
        self.page_name = ""  # page that is shown
        self._link_colour = QColor()  # of the links of this page, set when it is loaded
        self.sourceChanged.connect(self._format_page)

    def show_page(self, name: str) -> None:
        """Show the page `name` from its top."""
        self.setSource(QUrl.fromLocalFile(str(MANUAL / f"{name}.md")))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        changed = event.type() == QEvent.Type.PaletteChange and self.page_name
        if changed and self._link_colour != self.palette().link().color():
            position = self.verticalScrollBar().value()
            self.reload()
            self.verticalScrollBar().setValue(position)

    def _format_page(self, source: QUrl) -> None:
        """Format the page loaded from `source`; `self.source()` is still the previous one."""
        self.page_name = Path(source.path()).stem
        self._link_colour = self.palette().link().color()
        self.document().setDocumentMargin(16)
        whole = QTextCursor(self.document())
        whole.beginEditBlock()  # one layout of the page instead of one per block
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                self._format_table(frame)
        for block in self._blocks():
            self._format_block(block)
        whole.endEditBlock()
        if source.hasFragment():
            self._scroll_to(source.fragment())

    def _blocks(self) -> Iterator[QTextBlock]:
        block = self.document().begin()
        while block.isValid():
            yield block
            block = block.next()

    def _format_table(self, table: QTextTable) -> None:
        format = table.format().toTableFormat()
        format.setCellPadding(6)
        format.setBorderBrush(Theme.of(self).line)
        format.setTopMargin(SPACE)
        format.setBottomMargin(SPACE)
        table.setFormat(format)

    def _format_block(self, block: QTextBlock) -> None:
        """Set margins of headings and paragraphs and the background of code."""
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
                self.setTextCursor(QTextCursor(block))  # scrolled up to, so it is at the top
                return


class ManualDialog(Dialog):
    """Search and contents at the left, the page at the right; not modal."""

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
        self.contents = self._make_contents()
        self.browser = ManualBrowser()
        self.browser.sourceChanged.connect(self._select_current)
        self._arrange()

    def _make_contents(self) -> QListWidget:
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
            button.setAutoDefault(False)  # Return is for the search field
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
        """Show the page `name`, or the table of contents if there is no such page."""
        self.browser.show_page(name if name in self._texts else FIRST)

    def _open(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(_NAME) != self.browser.page_name:
            self.browser.show_page(item.data(_NAME))

    def _select_current(self) -> None:
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
        """Go to the next match: on this page, else on the next page that contains the text."""
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
