"""Translations: every marked text is collected, and a translation reaches the window."""

import ast
from pathlib import Path
from string import Formatter
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QCoreApplication, QLocale
from translations import Mark, all_marks, marks_of, update

import workbench
from workbench.domain.text import plural, tr, use_language
from workbench.ui.commands import Menu
from workbench.ui.look.language import install_language


def collected(code):
    return [mark for mark, _ in marks_of(code, "module.py")]


def test_texts_of_every_function_are_collected():
    assert collected('tr("Train")\nmark("Open", "state")\nMessage("{a} of {b}", a=1, b=2)') == [
        Mark("Train"),
        Mark("Open", "state"),
        Mark("{a} of {b}"),
    ]
    assert collected('KnownError("{path} is damaged.", "Copy it again.", path=path)') == [
        Mark("{path} is damaged."),
        Mark("Copy it again."),
    ]
    assert collected('plural(len(ids), "{n:,} image", "{n:,} images")') == [
        Mark("{n:,} images", one="{n:,} image")
    ]
    assert collected('tr("Pause" if running else "Resume")') == [Mark("Pause"), Mark("Resume")]
    assert collected("tr(job.title)") == collected("KnownError(sentence, REMEDY)") == []


@pytest.mark.parametrize(
    "code",
    [
        'tr(f"{n} images")',
        'tr("Label " + name)',
        'KnownError(f"{path} is damaged.")',
        'KnownError("It is damaged.", f"Copy {path} again.")',
        'Message("of %s" % name)',
        "mark(text)",
        'plural(n, one, "{n} images")',
        'counted(n, "{n} image")',
    ],
)
def test_a_text_that_no_catalogue_can_hold_is_refused(code):
    with pytest.raises(ValueError, match=r"module\.py:2: \w+ takes"):
        collected("\n" + code)


def names_in(text):
    """The values that a template wants."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def unfilled(code):
    """Lines of messages, plurals and errors whose values are not those of their templates."""
    for call in ast.walk(ast.parse(code)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        given = {each.arg for each in call.keywords}
        function = call.func.id
        if function not in ("KnownError", "Message", "counted", "plural") or None in given:
            continue
        if function == "Message" and not given:
            continue  # text, or filled in with `format`
        texts = [a.value for a in call.args if isinstance(a, ast.Constant)]
        wanted = set().union(*(names_in(str(text)) for text in texts))
        own = {"n"} if function in ("counted", "plural") else set()
        if wanted - own != given and len(texts) == len(call.args) - len(own):
            yield call.lineno, wanted ^ given


def test_placeholders_of_every_error_and_message_are_filled():
    """A placeholder without its value raises KeyError, but not before the text is made."""
    assert list(unfilled('KnownError("{path} is damaged.", "", folder=path)')) == [
        (1, {"path", "folder"})
    ]
    assert list(unfilled('counted(n, "{n} of {a}", "{n} of {b}", a=1)')) == [(1, {"b", "n"})]
    root = Path(workbench.__path__[0])
    files = {path: path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    found = {path.name: list(unfilled(code)) for path, code in files.items()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_texts_of_the_program_reach_the_file_for_translators(tmp_path):
    marks = all_marks()
    assert len(marks) > 1000
    assert {Mark(menu.value, "menu") for menu in Menu} <= set(marks)
    messages = ElementTree.parse(update("de", tmp_path)).iter("message")
    found = {
        Mark(one.findtext("source"), one.findtext("comment") or ""): one.get("numerus") == "yes"
        for one in messages
    }
    assert found == {Mark(mark.text, mark.comment): bool(mark.one) for mark in marks}


@pytest.fixture
def english_again():
    """The language of the window is English again at the end."""
    yield
    use_language(None)


def test_a_translation_reaches_the_window_and_outlives_an_update(qapp, tmp_path, english_again):
    file = update("de", tmp_path)
    tree = ElementTree.parse(file)
    for message in tree.iter("message"):
        source, translation = message.findtext("source"), message.find("translation")
        if source == "Train":
            translation.text = "Trainieren"
            del translation.attrib["type"]
        if source == "Remove {n:,} images":
            one, many = translation.findall("numerusform")
            one.text, many.text = "{n:,} Bild entfernen", "{n:,} Bilder entfernen"
            del translation.attrib["type"]
    tree.write(file, encoding="utf-8")
    assert update("de", tmp_path) == file
    assert not install_language(qapp, QLocale("fr_FR"), tmp_path)
    assert install_language(qapp, QLocale("de_AT"), tmp_path)
    forms = ("Remove {n:,} image", "Remove {n:,} images")
    assert tr("Train") == "Trainieren"
    assert [plural(n, *forms) for n in (1, 2)] == ["1 Bild entfernen", "2 Bilder entfernen"]
    assert tr("Results") == "Results"
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "Abbrechen"
    for translator in qapp.children():
        if type(translator).__name__ == "QTranslator":
            qapp.removeTranslator(translator)
            translator.deleteLater()
