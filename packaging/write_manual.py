"""Writes the reference pages of the manual from the program itself: `bootstrap.py manual`.

Each page is a function in PAGES that returns Markdown. Recipe keys and backbones come from
`domain`, methods, heads and penalties from the learning program, commands from click, keys from the
window. `tests/guards/test_manual.py` compares the pages with the files.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import click
import msgspec
from PySide6.QtWidgets import QApplication

from workbench.app.results.run_columns import RUN_COLUMNS, RunColumn, RunOutput
from workbench.app.session import Session
from workbench.app.training.choices import specs
from workbench.cli.command import commands
from workbench.domain.backbones import BACKBONES, Backbone
from workbench.domain.clusters import CLUSTERINGS
from workbench.domain.datasets import Carry
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.labels import EXPRESSIONS, VIEW_PRESETS, LabelSet
from workbench.domain.methods import Parameter, Spec, need_text
from workbench.domain.recipe_meanings import MEANINGS
from workbench.domain.recipes import KEYS, Recipe, allowed
from workbench.domain.stage_rules import PRESETS
from workbench.formats import FORMATS
from workbench.storage.project import Project
from workbench.ui.dialogs.manual import MANUAL, slug
from workbench.ui.page import Page
from workbench.ui.parts.recipe.fields import GROUPS
from workbench.ui.window.window import MainWindow

NOTE = "<!-- Written by `packaging/bootstrap.py manual`: change the program, not this page. -->"
HIDDEN_OPTIONS = ("--json", "--help")  # every command has them; the page's introduction says so


def page(title: str, *parts: str) -> str:
    """A page from its title and parts, with empty lines between them."""
    return "\n\n".join((NOTE, f"# {title}", *parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Raises ValueError for a cell with a bar or a line break."""
    lines = [list(head), ["---"] * len(head), *map(list, rows)]
    if any("|" in cell or "\n" in cell for line in lines for cell in line):
        raise ValueError(f"a cell of the table {head} contains a bar or a line break")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(text: object) -> str:
    """Text as inline code; "" stays empty."""
    return f"`{text}`" if text != "" else ""


def written(value: object) -> str:
    """A value in the syntax of TOML and the command line."""
    return str(value).lower() if isinstance(value, bool) else msgspec.json.encode(value).decode()


# recipe keys


def recipe_page() -> str:
    """All recipe keys with values, default and meaning, grouped as in the window."""
    first = [key for key in KEYS if not any(key in keys for _, keys in GROUPS)]
    groups = [("What is learned, and how", first), *GROUPS]
    parts = [f"## {title}\n\n{_keys_table(keys)}" for title, keys in groups]
    return page(
        "Recipe reference",
        "A recipe determines a training. It is a TOML file, or the fields of the [Train](train.md) "
        "page. On the command line, `workbench train PROJECT RECIPE.toml --set key=value` sets "
        "single keys.",
        "**Recommended values**: the program recommends values for your data (images per class, "
        "balance, backbone, start) and shows the reason. They replace the defaults below for keys "
        "that you do not set. `target` has no default.",
        *parts,
        "[Methods](methods.md) lists the names for `method`, `head`, `penalty` and `options`, "
        "[Backbones](backbones.md) the stages for `frozen` and `stages`.",
        "## Presets for the stages\n\n"
        "The Train page offers these under *Use preset…* beside the table of stages.\n\n"
        + table(("preset", "effect"), [(each.title, each.words) for each in PRESETS.values()]),
    )


def _keys_table(keys: Iterable[str]) -> str:
    defaults = msgspec.to_builtins(Recipe(target=""))
    rows = [(code(key), _values(key), _default(key, defaults[key]), MEANINGS[key]) for key in keys]
    return table(("key", "values", "default", "meaning"), rows)


def _default(key: str, value: object) -> str:
    return "" if key == "target" else code(written(value))


def _values(key: str) -> str:
    """Allowed values of a key, with names as code."""
    if key == "target":
        return "`category`, `view`, `category+view`, `expression`, or your own label set"
    if key == "start":
        return "`imagenet`, `none`, `file:PATH`, `run:ID`"
    if key == "frozen":
        return "`none`, a stage, `all`"
    if key in ("method", "head", "penalty"):
        names = [spec.name for spec in specs() if spec.kind == key]
        return ", ".join(map(code, ["none", *names] if key == "penalty" else names))
    words = allowed(key)
    choices = words.split(", ")
    return ", ".join(map(code, choices)) if len(choices) > 1 else words


# methods, heads, penalties, clusterings


def methods_page() -> str:
    """All methods, heads, penalties and clusterings with their parameters and sources."""
    known = specs()
    of_kind = {
        kind: [spec for spec in known if spec.kind == kind]
        for kind in ("method", "head", "penalty")
    }
    return page(
        "Methods, heads and penalties",
        "A recipe selects these with the keys `method`, `head` and `penalty`, and sets their "
        "parameters under `options`: `--set penalty=l2-sp --set l2-sp.alpha=0.02`. "
        "`workbench methods` prints the same list. [Recipe reference](recipe.md) lists all keys.",
        "## Methods",
        *map(_entry, of_kind["method"]),
        "## Heads",
        *map(_entry, of_kind["head"]),
        "## Penalties",
        *map(_entry, of_kind["penalty"]),
        "## Ways to group images without labels",
        "For `workbench cluster PROJECT --method NAME` and *View → Groups* on the "
        "[Images](images.md) page.",
        *map(_entry, CLUSTERINGS.values()),
    )


def _entry(spec: Spec) -> str:
    needs = map(need_text, spec.needs)
    text = spec.description[0].upper() + spec.description[1:].removesuffix(".") + "."
    parts = [f"### {code(spec.name)}: {spec.title}", text]
    if spec.needs:
        parts.append(f"Needs {', '.join(needs)}.")
    parts.append(f"Source: {spec.source}")
    if spec.parameters:
        head = ("parameter", "values", "default", "meaning")
        parts.append(table(head, map(_parameter, spec.parameters)))
    return "\n\n".join(parts)


def _parameter(parameter: Parameter) -> tuple[str, str, str, str]:
    choices = ", ".join(map(code, parameter.choices))
    default = code(written(parameter.default))
    return code(parameter.name), choices or parameter.allowed(), default, parameter.description


# backbones


def backbones_page() -> str:
    """All backbones with size, input and stages."""
    rows = [_backbone_row(known) for known in BACKBONES.values()]
    stages = [
        f"- {code(known.name)}: {', '.join(map(code, known.stage_names))}"
        for known in BACKBONES.values()
    ]
    return page(
        "Backbones",
        "Values of the recipe key `backbone`. *Input* is the image size of the original network, "
        "*smallest* the smallest `image_size` it accepts. ImageNet weights are downloaded only on "
        "request, and checked by their hash.",
        table(("name", "network", "input", "smallest", "ImageNet weights", "source"), rows),
        "## Stages\n\nFrom the input to the head. `frozen` names one of them: this stage and all "
        "earlier ones keep their start weights.",
        "\n".join(stages),
    )


def _backbone_row(known: Backbone) -> tuple[str, ...]:
    weights = f"{known.megabytes:g} MB" if known.weights else "none"
    sizes = (f"{known.input_size} px", f"{known.least} px")
    return code(known.name), known.title, *sizes, weights, known.source


# commands


class CommandEntry(NamedTuple):
    """A command with its full name ("labels export") and its context."""

    name: str
    command: click.Command
    context: click.Context


def all_commands() -> Iterator[CommandEntry]:
    """All commands; a group comes before its sub-commands."""
    yield from _below(commands, click.Context(commands, info_name="workbench"), ())


def _below(
    group: click.Group, context: click.Context, words: tuple[str, ...]
) -> Iterator[CommandEntry]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context)
        yield CommandEntry(" ".join((*words, name)), command, own)
        if isinstance(command, click.Group):
            yield from _below(command, own, (*words, name))


def commands_page() -> str:
    """All commands with usage, options and examples."""
    entries = list(all_commands())
    rows = [(f"[{e.name}](#{slug(e.name)})", e.command.get_short_help_str(200)) for e in entries]
    return page(
        "Command reference",
        "`workbench`, or `workbench PROJECT`, opens the window. The commands below do the same "
        "without a window. `PROJECT` is the project's folder, or any path inside it; the ending "
        "`.workbench` may be omitted.",
        "Every command has `--help` and `--json`. With `--json`, the last line of the standard "
        "output is one JSON object. Progress goes to the standard error. Exit codes: 0 success, "
        "1 an error, 2 wrong usage, 130 stopped with Ctrl+C. A default in words is in "
        "parentheses: *the run (the newest run)*.",
        table(("command", "meaning"), [(name, _cell(text)) for name, text in rows]),
        *map(_command, entries),
    )


def _command(entry: CommandEntry) -> str:
    help = (entry.command.help or "").replace("\b", "").strip()
    paragraphs = [" ".join(part.split()) for part in help.split("\n\n")]
    pieces = " ".join(entry.command.collect_usage_pieces(entry.context))
    parts = [f"## {entry.name}", *paragraphs, _block(f"workbench {entry.name} {pieces}")]
    options = [
        record for param in entry.command.params if (record := _option(param, entry.context))
    ]
    if options:
        parts.append(table(("option", "meaning"), options))
    if example := _example(entry.command):
        parts.append(f"Example:\n\n{_block(example)}")
    return "\n\n".join(parts)


def _option(param: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    if isinstance(param, click.Argument) or any(name in param.opts for name in HIDDEN_OPTIONS):
        return None
    record = param.get_help_record(context)
    if record is None:
        return None
    return code(record[0].replace("|", "/")), _cell(record[1])


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "/")


def _block(text: str) -> str:
    return f"```\n{text}\n```"


def _example(command: click.Command) -> str:
    lines = (command.epilog or "").replace("\b", "").splitlines()
    at = next((n for n, line in enumerate(lines) if line.strip() == "Example:"), len(lines))
    return "\n".join(line.removeprefix("  ") for line in lines[at + 1 :]).rstrip()


# keys


class KeyRow(NamedTuple):
    """A command of the window: page ("" for all pages), title, key and menu ("" for none)."""

    page: str
    title: str
    key: str
    menu: str


def window_keys() -> list[KeyRow]:
    """All commands of the window and its pages, with their default keys."""
    application = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        window = MainWindow(Session(Project.create(Path(folder) / "manual")))
        try:
            window.make_all_pages()
            return keys_of(window)
        finally:
            window.close()
            window.deleteLater()
            application.processEvents()


def keys_of(window: MainWindow) -> list[KeyRow]:
    """The commands of a window and of the pages it has created."""
    return [
        KeyRow(
            owner.title if isinstance(owner, Page) else "",
            each.title,
            each.key,
            each.menu.title if each.menu is not None else "",
        )
        for owner, each in window.commands.everything()
    ]


def keys_page(rows: Sequence[KeyRow] = ()) -> str:
    """All commands of the window with menu and key, and the keys of labels; `rows` are those of
    the program unless given."""
    rows = rows or window_keys()
    pages = list(dict.fromkeys(row.page for row in rows))
    parts = [f"## {name or 'Everywhere'}\n\n{_page_keys(rows, name)}" for name in pages]
    return page(
        "Keys",
        "*Help → Keyboard shortcuts…* lists these commands and lets you change their shortcuts. "
        "Commands without one are in the menus and in the command palette (`Ctrl+K`). On macOS, "
        "`Ctrl` is the Command key.",
        *parts,
        "## Keys of labels\n\nPress a label's own letter, or its position, `1` to `9`. *Label → "
        "Label sets…* changes the letters. New projects have these sets:",
        *(_label_keys(title, one) for title, one in _label_sets()),
    )


def _page_keys(rows: Iterable[KeyRow], name: str) -> str:
    own = [(row.title, row.menu, code(row.key)) for row in rows if row.page == name]
    return table(("command", "menu", "key"), own)


def _label_sets() -> Iterator[tuple[str, LabelSet]]:
    for name, one in VIEW_PRESETS.items():
        yield f"view ({name})", one
    yield "expression", EXPRESSIONS


def _label_keys(title: str, one: LabelSet) -> str:
    rows = [(label.name, code(label.key), label.mirror) for label in one.labels]
    return f"### {title}\n\n" + table(("label", "key", "mirror"), rows)


# formats


def formats_page() -> str:
    """All formats of images and datasets, what they hold, and whether they are written."""
    images = [
        (one.name, ", ".join(map(code, one.endings)), "yes" if one.read else "no")
        for one in IMAGE_FORMATS
    ]
    datasets = [
        (
            one.title,
            code(one.name),
            ", ".join(map(code, one.endings)) or "folder",
            ", ".join(carry.value for carry in Carry if carry in one.carries),
            "yes" if one.written else "no",
        )
        for one in FORMATS.values()
    ]
    about = "\n".join(f"- **{one.title}**: {one.about}" for one in FORMATS.values())
    return page(
        "File formats",
        "Datasets are imported with or without their images, and labels are exported to them. "
        "[Labels and files](labels-and-files.md) describes the columns of tables and label files. "
        "Images in a format that is not imported are listed under *File → Skipped files…* with the "
        "reason.",
        "## Datasets\n\n"
        + table(("format", "name", "endings", "can describe", "exported"), datasets)
        + f"\n{about}\n\n## Images\n\n"
        + table(("format", "endings", "imported"), images),
    )


# columns of runs


RUN_OUTPUTS = {
    RunOutput.WINDOW: "table",
    RunOutput.CSV: "CSV",
    RunOutput.COMMAND: "`workbench runs`",
    RunOutput.JSON: "`--json`",
    RunOutput.PAIRS: "pairs",
}


def run_columns_page() -> str:
    """All columns of runs with name, meaning, and where they appear."""
    return page(
        "Columns of runs",
        "The properties of a run that the program shows. *Table* is the table of runs on the "
        "[Results](results.md) page, *CSV* the file it is saved as, *pairs* the table there that "
        "compares category alone with category and view. `workbench runs` uses the name as the "
        "column title and as the key of `--json`, where `parts` has the scores of each part.",
        table(("column", "name", "meaning", "appears in"), map(_run_column, RUN_COLUMNS.values())),
    )


def _run_column(column: RunColumn) -> tuple[str, ...]:
    outputs = [text for output, text in RUN_OUTPUTS.items() if output in column.outputs]
    return column.title, code(column.name), column.meaning, ", ".join(outputs)


PAGES: dict[str, Callable[[], str]] = {
    "recipe.md": recipe_page,
    "methods.md": methods_page,
    "backbones.md": backbones_page,
    "commands.md": commands_page,
    "keys.md": keys_page,
    "formats.md": formats_page,
    "run-columns.md": run_columns_page,
}


def main(folder: Path) -> int:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8")
        print(folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else MANUAL))
