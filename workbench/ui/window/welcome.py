"""Welcome window, shown while no project is open: new project, open project, recent projects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QFontMetrics
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from workbench.app.settings import UserSettings
from workbench.domain.text import tr
from workbench.ui.look.icons import icon
from workbench.ui.look.markup import PlainLabel, plain_text
from workbench.ui.window.notifications import Notifications

_WIDTH = 520  # pixels


class _Recent(QPushButton):
    """Button of a recent project: its name above its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.setProperty("tall", True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        name = PlainLabel(folder.stem)
        name.setProperty("role", "heading")
        path = PlainLabel()
        path.setProperty("role", "caption")
        metrics = QFontMetrics(path.font())
        parent = str(folder.parent)
        path.setText(metrics.elidedText(parent, Qt.TextElideMode.ElideMiddle, _WIDTH - 120))
        self.setToolTip(plain_text(str(folder)))
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 4, 12, 4)
        column.setSpacing(0)
        for label in (name, path):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            column.addWidget(label)


class WelcomeWindow(QMainWindow):
    """Window shown when the program starts without a project.

    `new` and `choose` are called by its buttons; `open_folder` with a recent or dropped project.
    """

    def __init__(
        self,
        settings: UserSettings,
        new: Callable[[], object],
        choose: Callable[[], object],
        open_folder: Callable[[Path], object],
    ) -> None:
        super().__init__()
        self.setWindowTitle("Vantage Workbench")
        self.setAcceptDrops(True)
        self.resize(960, 640)
        self._settings, self._open = settings, open_folder
        middle = QWidget()
        middle.setFixedWidth(_WIDTH)
        column = QVBoxLayout(middle)
        column.setSpacing(8)
        column.addStretch(1)
        self._add_title(column)
        column.addLayout(self._buttons(new, choose))
        column.addSpacing(16)
        self.heading = QLabel(tr("Recent projects"))
        self.heading.setProperty("role", "heading")
        column.addWidget(self.heading)
        self._list = QVBoxLayout()
        self._list.setSpacing(4)
        column.addLayout(self._list)
        column.addStretch(2)
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.addWidget(middle, 0, Qt.AlignmentFlag.AlignHCenter)
        self.setCentralWidget(whole)
        self.notes = Notifications(whole)
        self.show_recent()

    def _add_title(self, column: QVBoxLayout) -> None:
        title = QLabel("Vantage Workbench")
        title.setProperty("role", "title")
        subtitle = QLabel(
            tr("Label images, train classifiers and understand their results, offline.")
        )
        subtitle.setProperty("role", "muted")
        subtitle.setWordWrap(True)
        column.addWidget(title)
        column.addWidget(subtitle)
        column.addSpacing(16)

    def _buttons(self, new: Callable[[], object], choose: Callable[[], object]) -> QHBoxLayout:
        row = QHBoxLayout()
        self.new_button = QPushButton(icon("plus", self, "on_accent"), tr("New project…"))
        self.new_button.setProperty("primary", True)
        self.open_button = QPushButton(icon("folder-open", self), tr("Open project…"))
        self.new_button.clicked.connect(lambda: new())
        self.open_button.clicked.connect(lambda: choose())
        row.addWidget(self.new_button)
        row.addWidget(self.open_button)
        row.addStretch(1)
        return row

    def show_recent(self) -> None:
        """Update the list of recent projects."""
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        recent = self._settings.recent[:6]
        self.heading.setVisible(bool(recent))
        for folder in recent:
            self._list.addWidget(self._recent_row(folder))

    def _recent_row(self, folder: Path) -> QWidget:
        line = QFrame()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        entry = _Recent(folder)
        entry.clicked.connect(lambda: self._open(folder))
        remove = QToolButton()
        remove.setIcon(icon("x", self, "muted"))
        remove.setToolTip(tr("Remove from this list (the project itself is not deleted)"))
        remove.clicked.connect(lambda: self._forget(folder))
        row.addWidget(entry, 1)
        row.addWidget(remove)
        return line

    def _forget(self, folder: Path) -> None:
        self._settings.forget(folder)
        self.show_recent()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _project_in(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        folder = _project_in(event)
        if folder is not None:
            event.acceptProposedAction()
            self._open(folder)


def _project_in(event: QDropEvent) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    found = [path for path in paths if path.suffix == ".workbench" and path.is_dir()]
    return found[0] if found else None
