"""The language of the window: that of the system where there is a translation, else English.

Translations lie in resources/translations as `workbench_<locale>.qm`, made from the `.ts` files
beside them by `packaging/bootstrap.py translations`. Qt's own texts (buttons of message boxes,
menus of text fields) come from the translations that ship with Qt.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator

from workbench.domain.text import CONTEXT, use_language

TRANSLATIONS = Path(__file__).resolve().parents[3] / "resources" / "translations"


def install_language(
    application: QCoreApplication, locale: QLocale, folder: Path = TRANSLATIONS
) -> bool:
    """Translate the window into the language of `locale`; whether there is such a translation."""
    ours = QTranslator(application)
    if not ours.load(locale, "workbench", "_", str(folder)):
        return False
    of_qt = QTranslator(application)
    place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if of_qt.load(locale, "qtbase", "_", place):
        application.installTranslator(of_qt)
    application.installTranslator(ours)
    use_language(translated)
    return True


def translated(text: str, comment: str, n: int) -> str:
    """What the installed translators make of `text`; `text` itself where they lack it."""
    return QCoreApplication.translate(CONTEXT, text, comment, n)
