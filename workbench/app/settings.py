"""Settings of the user across projects: theme, shortcuts, recent projects, annotator's name."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
from platformdirs import user_config_path

from workbench.files import write_whole

RECENT = 12
MOST_REPEATS = 50  # percent

# Stored ids of shortcuts from before command ids began with the name of the page.
WITHOUT_PAGE = {
    "images": (
        "clear_label select_all images_search images_clear similar groups larger smaller skipped "
        "take_out views_of"
    ),
    "views": "accept no_label next_open forward back fit similar suggest view_labels",
    "explain": (
        "save_explanation wall explain_next explain_back explain_fit deeper shallower windows "
        "more_map less_map predicted"
    ),
}


def current_ids(stored: str) -> list[str]:
    """Ids of the commands for a stored id; one without a page stands for that of every page."""
    return [
        f"{page}.{stored.removeprefix(f'{page}_')}"
        for page, names in WITHOUT_PAGE.items()
        if stored in names.split()
    ] or [stored]


class _StoredSettings(msgspec.Struct):
    theme: str = "system"
    keys: dict[str, str] = {}
    recent: list[str] = []
    annotator: str = ""
    repeat_share: int = 0

    def __post_init__(self) -> None:
        """Assign keys stored under previous ids to the current ids; full ids take precedence."""
        moved = {name: key for old, key in self.keys.items() for name in current_ids(old)}
        self.keys = moved | {name: key for name, key in self.keys.items() if name in moved}


class UserSettings:
    """The user's settings; every change is written immediately and atomically to a JSON file.

    A damaged file is renamed and replaced by the defaults.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the settings at `path`; None keeps them in memory only."""
        self._path = path
        self._stored = _StoredSettings()
        if path is not None and path.is_file():
            try:
                self._stored = msgspec.json.decode(path.read_bytes(), type=_StoredSettings)
            except (msgspec.DecodeError, OSError):
                self._rename_damaged(path)

    @staticmethod
    def of_user() -> UserSettings:
        """The settings in the user's configuration folder."""
        return UserSettings(user_config_path("vantage-workbench") / "settings.json")

    @property
    def theme(self) -> str:
        """ "system", "light" or "dark"."""
        return self._stored.theme if self._stored.theme in ("light", "dark") else "system"

    def set_theme(self, mode: str) -> None:
        """Store the theme: "system", "light" or "dark"."""
        self._stored.theme = mode
        self._write()

    @property
    def keys(self) -> dict[str, str]:
        """Custom shortcuts: full id of the command → key in Qt's portable text."""
        return dict(self._stored.keys)

    def set_key(self, action: str, key: str | None) -> None:
        """Set a custom shortcut of a command; None restores the default one."""
        self._stored.keys.pop(action, None)
        if key is not None:
            self._stored.keys[action] = key
        self._write()

    @property
    def annotator(self) -> str:
        """Name of the person that is stored with labels given by hand; "" without one."""
        return self._stored.annotator

    @property
    def repeat_share(self) -> int:
        """Percent of the annotator's images that are shown again without their label, 0 to 50."""
        return min(max(self._stored.repeat_share, 0), MOST_REPEATS)

    def set_annotator(self, name: str, repeat_share: int = 0) -> None:
        """Store the name of the person who labels, and the percentage of hidden repeats."""
        self._stored.annotator, self._stored.repeat_share = name, repeat_share
        self._write()

    @property
    def recent(self) -> list[Path]:
        """Existing recent project folders, newest first."""
        return [path for path in map(Path, self._stored.recent) if path.is_dir()]

    def remember(self, folder: Path) -> None:
        """Put `folder` at the top of the recent projects."""
        name = str(folder.resolve())
        others = [known for known in self._stored.recent if known != name]
        self._stored.recent = [name, *others][:RECENT]
        self._write()

    def forget(self, folder: Path) -> None:
        """Remove `folder` from the recent projects; the project itself is not changed."""
        name = str(folder.resolve())
        self._stored.recent = [known for known in self._stored.recent if known != name]
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        text = msgspec.json.format(msgspec.json.encode(self._stored))
        # if the folder is not writable, the setting is lost, but the program works
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, text)

    @staticmethod
    def _rename_damaged(path: Path) -> None:
        try:
            os.replace(path, path.with_suffix(".damaged"))
        except OSError:
            return
