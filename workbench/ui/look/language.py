"""The language of the window: the system's if there is a translation, else English.

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
    """Translate the window into the language of `locale`; return whether there is a translation."""
    translator = QTranslator(application)
    if not translator.load(locale, "workbench", "_", str(folder)):
        return False
    qt_translator = QTranslator(application)
    place = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if qt_translator.load(locale, "qtbase", "_", place):
        application.installTranslator(qt_translator)
    application.installTranslator(translator)
    use_language(translated)
    return True


def translated(text: str, comment: str, n: int) -> str:
    """The translation of `text` by the installed translators; `text` itself without one."""
    return QCoreApplication.translate(CONTEXT, text, comment, n)
