"""Registries: unique names, unknown names, and entries from the modules of a package."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from workbench.domain.backbones import BACKBONES
from workbench.domain.clusters import CLUSTERINGS
from workbench.domain.errors import ValueRefused
from workbench.domain.registry import Registry


@dataclass(frozen=True)
class Bird:
    name: str


def birds(*names: str) -> Registry[Bird]:
    made: Registry[Bird] = Registry("bird")
    for name in names:
        made.register(Bird(name))
    return made


def test_entries_are_found_by_name_in_the_order_they_were_added() -> None:
    known = birds("swan", "owl")
    assert known.find("owl") == Bird("owl")
    assert list(known) == ["swan", "owl"]
    assert [bird.name for bird in known.values()] == ["swan", "owl"]
    assert len(known) == 2
    assert "tern" not in known
    assert known.get("tern") is None


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueRefused, match="swan, owl") as refused:
        birds("swan", "owl").find("tern")
    assert (refused.value.key, refused.value.value) == ("bird", "tern")


def test_a_name_is_unique() -> None:
    known = birds("swan")
    with pytest.raises(ValueError, match="'swan'"):
        known.register(Bird("swan"))
    with pytest.raises(ValueError, match="'swan'"):
        known.add("swan", Bird("another"))
    assert known.find("swan") == Bird("swan")


def test_an_entry_can_be_registered_temporarily() -> None:
    known = birds("swan", "owl")
    with known.temporarily("tern", Bird("tern")):
        assert list(known) == ["swan", "owl", "tern"]
    with known.temporarily("swan", Bird("black swan")):
        assert list(known.values()) == [Bird("black swan"), Bird("owl")]
    assert list(known.values()) == [Bird("swan"), Bird("owl")]
    with pytest.raises(ValueRefused), known.temporarily("tern", Bird("tern")):
        known.find("auk")
    assert "tern" not in known


def test_a_package_is_read_when_it_is_first_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "aviary"
    package.mkdir()
    (package / "__init__.py").write_text("from aviary.base import BIRDS\n")
    (package / "base.py").write_text(
        "from workbench.domain.registry import Registry\n"
        "BIRDS = Registry('bird', 'of.name', __package__)\n"
    )
    for file, name in (("a", "swan"), ("b", "owl")):
        (package / f"{file}.py").write_text(
            "from aviary.base import BIRDS\n\n\n@BIRDS.register\nclass Kept:\n"
            f"    class of:\n        name = {name!r}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    from aviary import BIRDS

    assert "aviary.a" not in sys.modules
    assert list(BIRDS) == ["owl", "swan"]  # by name, whatever the files are called
    assert BIRDS.find("swan").__module__ == "aviary.a"
    for module in [name for name in sys.modules if name.partition(".")[0] == "aviary"]:
        monkeypatch.delitem(sys.modules, module)


@pytest.mark.parametrize("known", [BACKBONES, CLUSTERINGS])
def test_entries_are_registered_under_their_own_names(known: Registry) -> None:
    assert [entry.name for entry in known.values()] == list(known)
