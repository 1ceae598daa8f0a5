"""What one person keeps across projects: theme, keys of their own, and the projects of late."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec
from platformdirs import user_config_path

from workbench.files import write_whole

RECENT = 12

# Ids that keys were stored under before ids began with the page's name; two pages had a "similar".
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
    """Ids of the actions that a stored id means: one without its page means that of every page."""
    return [
        f"{page}.{stored.removeprefix(f'{page}_')}"
        for page, names in WITHOUT_PAGE.items()
        if stored in names.split()
    ] or [stored]


class _StoredSettings(msgspec.Struct):
    theme: str = "system"
    keys: dict[str, str] = {}
    recent: list[str] = []

    def __post_init__(self) -> None:
        """Give keys stored under former ids to the actions they meant; full ids take precedence."""
        moved = {name: key for old, key in self.keys.items() for name in current_ids(old)}
        self.keys = moved | {name: key for name, key in self.keys.items() if name in moved}


class UserSettings:
    """The person's settings; every change is written at once, whole, to a JSON file.

    A damaged file is set aside under another name and the defaults hold.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` None keeps everything in memory only."""
        self._path = path
        self._kept = _StoredSettings()
        if path is not None and path.is_file():
            try:
                self._kept = msgspec.json.decode(path.read_bytes(), type=_StoredSettings)
            except (msgspec.DecodeError, OSError):
                self._set_aside(path)

    @staticmethod
    def of_user() -> UserSettings:
        """The settings in the user's configuration folder."""
        return UserSettings(user_config_path("vantage-workbench") / "settings.json")

    @property
    def theme(self) -> str:
        """ "system", "light" or "dark"."""
        return self._kept.theme if self._kept.theme in ("light", "dark") else "system"

    def set_theme(self, mode: str) -> None:
        self._kept.theme = mode
        self._write()

    @property
    def keys(self) -> dict[str, str]:
        """Keys the person chose: full id of the action → key in Qt's portable text."""
        return dict(self._kept.keys)

    def set_key(self, action: str, key: str | None) -> None:
        """Give an action a key of the person's own; None gives it back the program's."""
        self._kept.keys.pop(action, None)
        if key is not None:
            self._kept.keys[action] = key
        self._write()

    @property
    def recent(self) -> list[Path]:
        """Project folders that still exist, the latest first."""
        return [path for path in map(Path, self._kept.recent) if path.is_dir()]

    def remember(self, folder: Path) -> None:
        """`folder` was opened now."""
        name = str(folder.resolve())
        others = [known for known in self._kept.recent if known != name]
        self._kept.recent = [name, *others][:RECENT]
        self._write()

    def forget(self, folder: Path) -> None:
        """Take `folder` off the list; the project itself is not touched."""
        name = str(folder.resolve())
        self._kept.recent = [known for known in self._kept.recent if known != name]
        self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        text = msgspec.json.format(msgspec.json.encode(self._kept))
        # a home that cannot be written to costs a preference, not the work
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, text)

    @staticmethod
    def _set_aside(path: Path) -> None:
        try:
            os.replace(path, path.with_suffix(".damaged"))
        except OSError:
            return
