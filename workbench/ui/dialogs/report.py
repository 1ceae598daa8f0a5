"""Report of an internal error: its text, and the dialog that shows it."""

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
    """Return the report of an exception: versions, then the traceback."""
    return describe_system() + "\n" + "".join(traceback.format_exception(kind, error, trace))


def describe_system() -> str:
    """Return a line with the versions of the program, Python, Qt and the system."""
    return (
        f"Vantage Workbench {__version__}, Python {platform.python_version()}, "
        f"Qt {qVersion()}, {platform.system()} {platform.release()} {platform.machine()}"
        f"{', frozen' if getattr(sys, 'frozen', False) else ''}\n"
    )


class ReportDialog(CopyDialog):
    """Explains that an internal error occurred and offers its report to be copied."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Internal error"))
        self.resize(680, 420)
        explanation = QLabel(
            tr(
                "An internal error occurred. Your labels are saved and you can continue working. "
                "The report below has the details."
            )
        )
        explanation.setWordWrap(True)
        self.text = QPlainTextEdit(report)
        self.text.setReadOnly(True)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.copy_button.setText(tr("Copy report"))
        self._lay_out(self.text.toPlainText, explanation, self.text)
