"""Commands, files and images in README and manual exist; no address of a machine is in them."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import bootstrap

from workbench import __version__

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_check_of_every_change_is_the_command_of_the_readme():
    assert "python3 packaging/bootstrap.py test" in README
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec python3 packaging/bootstrap.py test"


def test_links_and_images_of_the_readme_exist():
    targets = re.findall(r"\]\(([^)#]+)\)|(?:src|srcset)=\"([^\"]+)\"", README)
    local = [a or b for a, b in targets if not (a or b).startswith("http")]
    assert local
    assert [path for path in local if not (ROOT / path).exists()] == []
    pictures = {
        f"resources/pictures/{path.name}" for path in (ROOT / "resources/pictures").iterdir()
    }
    assert pictures - set(local) == set()  # none is left over


def test_the_changelog_has_this_version():
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_icons_match_their_names():
    icons = ROOT / "resources" / "icons"
    assert (icons / "workbench.png").read_bytes().startswith(b"\x89PNG")
    assert (icons / "workbench.icns").read_bytes().startswith(b"icns")
    reserved, kind, count = struct.unpack("<3H", (icons / "workbench.ico").read_bytes()[:6])
    assert (reserved, kind) == (0, 1)
    assert count >= 5


def test_no_path_of_a_machine_and_no_index_but_torchs_own_is_written_down():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        return  # an archive without its history
    here = Path(__file__).relative_to(ROOT).as_posix()
    forbidden = re.compile(r"/opt/(wheels|pypi)|extra-index-url\s*=|/root/|/home/\w+/")
    found = []
    for name in listed.stdout.split("\n"):
        path = ROOT / name
        if name and name != here and path.suffix in (".py", ".toml", ".txt", ".md", ".spec"):
            found += [name for _ in forbidden.findall(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_set_up_writes_the_reference_pages(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap.environment, "prepare", lambda extras=(): None)
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    assert bootstrap.main(["manual", str(tmp_path / "manual")]) == 0
    made = {path.name for path in (tmp_path / "manual").iterdir()}
    assert made == {
        "recipe.md",
        "methods.md",
        "backbones.md",
        "commands.md",
        "run-columns.md",
        "keys.md",
        "formats.md",
    }
    assert made < {path.name for path in (ROOT / "resources" / "manual").iterdir()}
