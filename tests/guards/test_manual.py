"""The manual describes the program: its reference pages are generated from the code, and whatever
its other pages name (commands, recipe keys, menu entries, keys, files, pages) exists."""

import re
import shlex
from pathlib import Path

import click
import pytest
import write_manual

from workbench.cli.command import commands
from workbench.domain.backbones import BACKBONES
from workbench.domain.clusters import CLUSTERINGS
from workbench.domain.errors import ValueRefused
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.recipes import KEYS, allowed, complete, with_setting
from workbench.formats import FORMATS
from workbench.ui.dialogs.manual import MANUAL, manual_pages, slug
from workbench.ui.page import PAGES

ROOT = Path(__file__).resolve().parents[2]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
BY_HAND = [path for path in sorted(MANUAL.glob("*.md")) if path.name not in write_manual.PAGES]
PAPERS = [README, CONTRIBUTING, *BY_HAND]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


@pytest.fixture(scope="module")
def written(qapp):
    """The reference pages as the program has them now."""
    return {name: make() for name, make in write_manual.PAGES.items()}


@pytest.fixture(scope="module")
def rows(qapp):
    """The window's commands."""
    return write_manual.window_keys()


def text_of(path):
    return path.read_text(encoding="utf-8")


def code_of(text):
    """All inline code of a text, blocks left out."""
    return set(CODE.findall(re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def command_lines(text):
    """The lines of code blocks and inline code that call the program, without their comments."""
    joined = text.replace("\\\n", " ")
    blocks = re.findall(r"^```\n(.*?)^```", joined, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [code for code in code_of(joined) if len(code.split()) > 2 and "PROJECT" not in code]
    return [line for line in lines if re.match(r"workbench [a-z]", line)]


def parsed(line):
    """The command that a line calls, with its options: (words, parameters). Raises UsageError."""
    arguments = shlex.split(line, comments=True)[1:]
    command, context, words = commands, click.Context(commands, info_name="workbench"), []
    while isinstance(command, click.Group):
        name, found, arguments = command.resolve_command(context, arguments)
        assert found is not None
        words.append(name)
        command = found
        if not isinstance(command, click.Group):
            context = command.make_context(name, arguments, parent=context)
    return words, context.params


def test_the_reference_pages_are_those_of_the_program(written):
    for name, text in written.items():
        kept = text_of(MANUAL / name)
        assert kept == text, f"{name} is old: run python3 packaging/bootstrap.py manual"


@pytest.mark.parametrize("kind", ["method", "head", "penalty"])
def test_every_method_head_and_penalty_is_described_with_its_parameters(written, kind):
    known = [spec for spec in write_manual.specs() if spec.kind == kind]
    assert len(known) >= 6
    for spec in known:
        entry = written["methods.md"].split(f"### `{spec.name}`: ")[1].split("\n### ")[0]
        assert spec.source in entry
        for parameter in spec.parameters:
            assert f"| `{parameter.name}` |" in entry
            assert set(parameter.choices) <= code_of(entry)
        assert f"`{spec.name}`" in written["recipe.md"]


def test_every_recipe_key_and_each_of_its_values_is_described(written):
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \| (.*) \| (.+) \|$", written["recipe.md"], re.MULTILINE
    )
    values = {key: code_of(cell) for key, cell, _, _ in rows}
    assert tuple(sorted(values)) == tuple(sorted(KEYS))
    for key in KEYS:
        choices = allowed(key).split(", ")
        assert len(choices) == 1 or key in ("start", "target") or set(choices) <= values[key]
    for spec in write_manual.specs():
        assert spec.name in values[spec.kind]
    assert "cnn-rnn" in values["method"]


def test_every_backbone_clustering_command_and_format_is_described(written):
    assert {f"`{name}`" for name in BACKBONES} <= set(
        re.findall(r"^\| (`\w+`) \|", written["backbones.md"], re.MULTILINE)
    )
    for spec in CLUSTERINGS.values():
        assert f"### `{spec.name}`: {spec.title}" in written["methods.md"]
    for entry in write_manual.all_commands():
        assert f"\n## {entry.name}\n" in written["commands.md"]
    for one in (*IMAGE_FORMATS, *FORMATS.values()):
        assert f"| {getattr(one, 'title', one.name)} |" in written["formats.md"]
        assert set(one.endings) <= code_of(written["formats.md"])


def test_every_command_of_the_reference_has_an_example(written):
    for entry in write_manual.all_commands():
        about = written["commands.md"].split(f"\n## {entry.name}\n")[1].split("\n## ")[0]
        group = isinstance(entry.command, click.Group)
        assert group or f"workbench {entry.name}" in about.split("Example:")[1]


def test_every_command_of_the_window_is_listed_with_its_key(written, rows):
    assert len(rows) > 60
    for row in rows:
        key = f"`{row.key}`" if row.key else ""
        assert f"| {row.title} | {row.menu} | {key} |" in written["keys.md"]


def test_every_page_of_the_window_has_a_page_under_its_title():
    titles = {page.name: page.title for page in manual_pages()}
    assert {name: titles.get(name) for name in PAGES} == {n: e.title for n, e in PAGES.items()}


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_command_line_is_accepted_by_the_program(path):
    for line in command_lines(text_of(path)):
        try:
            _, parameters = parsed(line)
        except click.UsageError as error:
            pytest.fail(f"{path.name}: {line}: {error.format_message()}")
        check_settings([*parameters.get("settings", ()), *parameters.get("source_settings", ())])


def check_settings(settings):
    """Raise ValueRefused where a recipe does not take what `--set` gives."""
    keys = {"target": "category"}
    for setting in settings:
        keys = with_setting(keys, setting)
    recipe = complete(keys)
    known = {spec.name: spec for spec in write_manual.specs()}
    for name in (recipe.method, recipe.head, *recipe.penalty.split("+")):
        assert name in known or name == "none", name
    for name in recipe.options:
        known[name].options(recipe.options)


def test_the_checks_see_a_wrong_command_line():
    assert parsed("workbench train Birds --set epochs=3")[0] == ["train"]
    for wrong in ("workbench trian Birds", "workbench train Birds --sett a=b", "workbench train"):
        with pytest.raises(click.UsageError):
            parsed(wrong)
    found = command_lines("```\nworkbench a \\\n  b # c\n```\n`workbench d e` `workbench f`")
    assert found == ["workbench a    b # c", "workbench d e"]
    with pytest.raises(ValueRefused):
        check_settings(["mix=blender"])
    with pytest.raises(ValueRefused):
        check_settings(["penalty=l2-sp", "l2-sp.alpha=-1"])


@pytest.mark.parametrize("path", [*PAPERS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_every_menu_entry_and_key_that_is_named_exists(path, rows):
    titles = {(row.menu, row.title) for row in rows}
    text = " ".join(text_of(path).split())
    for menu, title in re.findall(r"\*([A-Z]\w+) → ([^*]+)\*", text):
        assert (menu, title) in titles
    keys = {row.key for row in rows} | {"Ctrl+C"}  # which stops a command in a terminal
    for named in re.findall(r"`((?:Ctrl|Alt|Shift)\+[^`]+|F\d+|Del)`", text):
        assert named in keys


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(path):
    parts = r"(?:workbench|tests|packaging|resources)/[\w/.]+"
    named = re.findall(rf"`({parts})`", text_of(path))
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


def test_every_file_that_the_drawings_name_exists():
    text = text_of(MANUAL / "architecture.md")
    named = re.findall(r"\b((?:app|storage|learning|ui|domain)/[\w/]+\.py)\b", text)
    named = [name for name in named if "NAME" not in name]
    assert len(named) > 10
    assert [name for name in named if not (ROOT / "workbench" / name).exists()] == []


def headings(path):
    return {slug(title) for title in re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)}


@pytest.mark.parametrize("path", [*PAPERS, *map(MANUAL.joinpath, write_manual.PAGES)], ids=str)
def test_every_link_leads_somewhere(path):
    for link in LINK.findall(text_of(path)):
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_every_page_is_in_the_contents_and_needs_nothing_but_the_program():
    assert {page.name for page in manual_pages()} == {path.stem for path in MANUAL.glob("*.md")}
    for page in manual_pages():
        assert not re.search(
            r"https?:|!\[|<(?!!--)\w+", re.sub(r"```.*?```", "", page.text, flags=re.S)
        )


def test_the_manual_is_packed_with_the_program():
    spec = text_of(ROOT / "packaging" / "workbench.spec")
    assert '(str(ROOT / "resources" / "manual"), "resources/manual")' in spec


def test_readme_and_contributing_are_short():
    assert len(text_of(README).splitlines()) <= 150
    assert len(text_of(CONTRIBUTING).splitlines()) <= 100
