"""Translations of the window: `bootstrap.py translations [LOCALE …]`.

The texts are collected from the code: the literals given to the functions of
`workbench.domain.text` and to KnownError. lupdate reads them from a generated C++ file, since it
knows neither functions of ours nor one context for all, and brings
`resources/translations/workbench_LOCALE.ts` up to date; translators work on that file with Qt
Linguist. lrelease then makes the `.qm` file that the window loads.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.domain.text import CONTEXT

ROOT = Path(__file__).resolve().parents[1]
TRANSLATIONS = ROOT / "resources" / "translations"
PLURALS = ("plural", "counted")  # functions of a number, its form for one and that for many
TEXTS = {"tr": 1, "mark": 1, "Message": 1, "KnownError": 2}  # functions, and how many texts lead
WITH_COMMENT = ("tr", "mark")  # their second argument is a comment for translators
LITERAL = ("mark", *PLURALS)  # functions that are never given a variable


@dataclass(frozen=True, order=True)
class Mark:
    """A text to translate. `one` is the form for one thing of a text with a plural."""

    text: str
    comment: str = ""
    one: str = ""


def all_marks() -> dict[Mark, list[str]]:
    """Every marked text of the program, and the places where it stands."""
    found: dict[Mark, list[str]] = {}
    own = ROOT / "workbench" / "domain" / "text.py"  # where the functions themselves are
    for path in sorted({*(ROOT / "workbench").rglob("*.py")} - {own}):
        place = path.relative_to(ROOT).as_posix()
        for mark, line in marks_of(path.read_text(encoding="utf-8"), place):
            found.setdefault(mark, []).append(f"{place}:{line}")
    return found


def marks_of(source: str, place: str) -> Iterator[tuple[Mark, int]]:
    """The marked texts of a module and their lines. Raises ValueError for one that cannot be
    collected, since it would never be translated."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            try:
                yield from ((mark, node.lineno) for mark in _marks(node, node.func.id))
            except ValueError as error:
                raise ValueError(f"{place}:{node.lineno}: {node.func.id} {error}") from error


def _marks(call: ast.Call, name: str) -> Iterator[Mark]:
    if name in PLURALS:
        forms = [_literals(form) for form in call.args[1:3]]
        if [len(form) for form in forms] != [1, 1]:
            raise ValueError("takes two literals.")
        yield Mark(forms[1][0], one=forms[0][0])
    elif name in TEXTS:
        comment = "".join(_literals(call.args[1])) if name in WITH_COMMENT and call.args[1:] else ""
        texts = [text for one in call.args[: TEXTS[name]] for text in _literals(one)]
        if not texts and name in LITERAL:
            raise ValueError("takes a literal.")
        yield from (Mark(text, comment) for text in texts if text)


def _literals(node: ast.expr) -> list[str]:
    """The literals that an expression can be; none for a variable, whose text is marked where it is
    made. Raises ValueError for a text that is put together, which no catalogue can hold."""
    if isinstance(node, ast.IfExp):
        return _literals(node.body) + _literals(node.orelse)
    if isinstance(node, ast.JoinedStr | ast.BinOp):
        raise ValueError("takes a literal with named values, not a text that is put together.")
    known = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return [node.value] if known else []  # type: ignore[attr-defined]


def as_cpp(marks: Iterable[Mark]) -> str:
    """The marks as a C++ file that lupdate reads."""
    return "\n".join(line for mark in sorted(marks) for line in _cpp_lines(mark))


def _cpp_lines(mark: Mark) -> list[str]:
    text, comment = json.dumps(mark.text, ensure_ascii=False), json.dumps(mark.comment)
    context = json.dumps(CONTEXT)
    if mark.one:
        return [f"//: For one: {mark.one}", f"QT_TRANSLATE_N_NOOP({context}, {text});"]
    if mark.comment:
        return [f"QT_TRANSLATE_NOOP3({context}, {text}, {comment});"]
    return [f"QT_TRANSLATE_NOOP({context}, {text});"]


def update(locale: str, folder: Path = TRANSLATIONS) -> Path:
    """Bring `workbench_<locale>.ts` up to date with the code and compile it; returns the file.
    What was translated stays."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"workbench_{locale}.ts"
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "marks.cpp"
        source.write_text(as_cpp(all_marks()), encoding="utf-8")
        _run(
            "pyside6-lupdate", "-locations", "none", "-target-language", locale, source, "-ts", file
        )
    _run("pyside6-lrelease", file, "-qm", file.with_suffix(".qm"))
    return file


def _run(tool: str, *arguments: str | Path) -> None:
    command = [str(Path(sys.executable).with_name(tool)), "-silent", *map(str, arguments)]
    subprocess.run(command, check=True)


def main(locales: Sequence[str]) -> int:
    """Bring the given translations up to date, or those that there are."""
    known = [path.stem.removeprefix("workbench_") for path in TRANSLATIONS.glob("workbench_*.ts")]
    for locale in locales or known:
        print(update(locale))
    if not locales and not known:
        print("There is no translation yet. Name a locale, for example de or zh_CN.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
