"""Words that the glossary avoids occur in no text that a user reads: window, commands, manual."""

import ast
import re
from pathlib import Path

import pytest
import translations
import write_manual

from workbench.cli.command import commands
from workbench.ui.dialogs.manual import MANUAL

ROOT = Path(__file__).resolve().parents[2]
GLOSSARY = MANUAL / "glossary.md"
PRINTED = {"print": 1, "warn": 1, "table": 2, "UsageError": 1}  # calls in cli, leading texts
COMMANDS = sorted((ROOT / "workbench" / "cli").glob("*.py"))
PAPERS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted(set(MANUAL.glob("*.md")) - {GLOSSARY}),
]


def avoided_words(text):
    """The words in the last columns of a glossary's tables, without those that have a note."""
    cells = re.findall(r"^\|.*\| ([^|]+) \|$", text, re.MULTILINE)
    words = {word.strip() for cell in cells for word in cell.split(",") if "(" not in word}
    return words - {"", "avoid", "---"}


WORDS = avoided_words(GLOSSARY.read_text(encoding="utf-8"))
AVOIDED = re.compile(rf"\b(?:{'|'.join(sorted(map(re.escape, WORDS)))})s?\b", re.IGNORECASE)


def found_in(text):
    """The avoided words in a text, without the names of the values that are filled in."""
    return AVOIDED.findall(re.sub(r"\{[^{}]*\}", "…", " ".join(text.split())))


def printed_texts(source):
    """The literals that a module of the command line prints: (text, line)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            for argument in node.args[: PRINTED.get(node.func.attr, 0)]:
                for each in ast.walk(argument):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield each.value, each.lineno


def prose_of(text):
    """Markdown without code, HTML tags and targets of links."""
    return re.sub(
        r"^```.*?^```|`[^`\n]+`|<[^>]*>|\]\([^)]*\)", "…", text, flags=re.MULTILINE | re.DOTALL
    )


def help_of(command, context):
    """The texts that `--help` shows of a command, without its examples."""
    yield command.help or ""
    for parameter in command.params:
        record = parameter.get_help_record(context)
        yield record[1] if record else ""


def test_the_check_sees_avoided_words():
    assert avoided_words("| a | b | one, two (of them), three four |") == {"one", "three four"}
    assert {"picture", "kept maps"} <= WORDS
    assert found_in("Two Photos, kept\n  maps; a photon {photo}") == ["Photos", "kept maps"]
    assert list(printed_texts('out.print(f"a {b} c")\nout.other("d")')) == [("a ", 1), (" c", 1)]
    assert prose_of("a `photo`\n```\nphoto\n```\nb") == "a …\n…\nb"


def test_marked_texts_avoid_them():
    marks = translations.all_marks()
    assert len(marks) > 1000
    found = [(places[0], mark.text) for mark, places in marks.items() if found_in(mark.text)]
    assert found + [(places[0], m.one) for m, places in marks.items() if found_in(m.one)] == []


def test_what_commands_print_avoids_them():
    texts = [each for path in COMMANDS for each in printed_texts(path.read_text(encoding="utf-8"))]
    assert len(texts) > 100
    assert [each for each in texts if found_in(each[0])] == []


def test_help_of_commands_avoids_them():
    texts = [("workbench", commands.help or "")]
    for entry in write_manual.all_commands():
        texts += [(entry.name, text) for text in help_of(entry.command, entry.context)]
    assert len(texts) > 100
    assert [(name, text, found_in(text)) for name, text in texts if found_in(text)] == []


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_readme_and_manual_avoid_them(path):
    lines = prose_of(path.read_text(encoding="utf-8")).splitlines()
    assert [(line, words) for line in lines if (words := found_in(line))] == []
