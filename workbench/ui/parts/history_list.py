"""The latest edits, newest first; undone ones are grey."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt

from workbench.app.session import Session
from workbench.domain.changes import HistoryEntry
from workbench.domain.text import tr
from workbench.ui.look.theme import Theme
from workbench.ui.parts.wrapped_text import WrappedText

_LINES = 8


class HistoryList(WrappedText):
    """One line per edit: time and description."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._entries: list[HistoryEntry] = []
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys belong to the page

    def refresh(self) -> None:
        """Read the history again."""
        self._entries = self._session.history.entries(_LINES)
        self._show_entries()

    def _show_entries(self) -> None:
        theme = Theme.of(self)
        lines: Sequence[str] = [
            f'<span style="color:{(theme.line if e.undone else theme.muted).name()}">'
            f"{time.strftime('%H:%M', time.localtime(e.made_at))}</span> "
            f'<span style="color:{(theme.line if e.undone else theme.text).name()}">'
            f"{html.escape(tr(e.text))}{' ↶' if e.undone else ''}</span>"
            for e in self._entries
        ]
        self.setHtml("<br>".join(lines) or tr("No edits yet"))

    def changeEvent(self, event: QEvent) -> None:
        """Set the text again for a new theme, whose colours it contains. The entries are not read
        again, since the project may be closed."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and self.toPlainText():
            self._show_entries()
