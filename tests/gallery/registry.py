"""The scenes of the gallery: what is shown of each page, dialog and menu, under which names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QDialog

    from tests.gallery.stage import Stage

Play = Callable[["Stage"], None]


@dataclass(frozen=True)
class Scene:
    """One function that brings something on the screen and takes images of it.

    `page` and `state` name its screenshots; `dialogs` are the classes that it shows; `projects` are
    the prepared projects that it opens.
    """

    page: str
    state: str
    play: Play
    dialogs: tuple[type[QDialog], ...]
    projects: tuple[str, ...]

    @property
    def name(self) -> str:
        """For example "views/empty"."""
        return f"{self.page}/{self.state}"


SCENES: list[Scene] = []


def scene(
    page: str, state: str, *projects: str, shows: Iterable[type[QDialog]] = ()
) -> Callable[[Play], Play]:
    """Register a function as a scene. Raises ValueError if page and state are taken."""

    def keep(play: Play) -> Play:
        made = Scene(page, state, play, tuple(shows), projects)
        if made.name in {known.name for known in SCENES}:
            raise ValueError(f"There are two scenes {made.name}.")
        SCENES.append(made)
        return play

    return keep


def chosen(wanted: Iterable[str]) -> list[Scene]:
    """The scenes whose page is named, or whose page/state begins so; all where nothing is named.

    Raises ValueError for a name that fits no scene.
    """
    names = list(wanted)
    for name in names:
        if not any(_fits(one, name) for one in SCENES):
            pages = ", ".join(dict.fromkeys(one.page for one in SCENES))
            raise ValueError(f"There is no scene {name}. There are: {pages}.")
    return [one for one in SCENES if not names or any(_fits(one, name) for name in names)]


def _fits(one: Scene, name: str) -> bool:
    page, _, state = name.partition("/")
    return one.page == page and one.state.startswith(state)
