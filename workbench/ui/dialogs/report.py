"""A defect of ours: said as such, with a report that can be copied."""

from __future__ import annotations

import platform
import sys
import traceback
from types import TracebackType

from PySide6.QtCore import qVersion
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QWidget

from workbench import __version__
from workbench.domain.text import tr
from workbench.ui.parts.copying import CopyDialog


def report_of(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> str:
    """The report of an error: versions, then the traceback."""
    return describe_system() + "\n" + "".join(traceback.format_exception(kind, error, trace))


def describe_system() -> str:
    """Versions that a report needs."""
    return (
        f"Vantage Workbench {__version__}, Python {platform.python_version()}, "
        f"Qt {qVersion()}, {platform.system()} {platform.release()} {platform.machine()}"
        f"{', frozen' if getattr(sys, 'frozen', False) else ''}\n"
    )


class ReportDialog(CopyDialog):
    """Says that the fault is ours, that nothing is lost, and offers the report."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Something went wrong"))
        self.resize(680, 420)
        words = QLabel(
            tr(
                "Vantage Workbench made a mistake. Your labels are saved; you can go on working. "
                "The report below says what happened."
            )
        )
        words.setWordWrap(True)
        self.text = QPlainTextEdit(report)
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy_button.setText(tr("Copy report"))
        self._lay_out(self.text.toPlainText, words, self.text)
