"""Actions as data become menus, keys and the palette's list, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

_MODIFIERS = ("Ctrl+", "Alt+", "Meta+", "Shift+")


def is_bare(shortcut: str) -> bool:
    """Whether a key is one without modifiers. Such keys are taken when no control wants them, so
    that Space still presses a focused button and letters can be typed; F-keys are always ours."""
    plain = not shortcut.startswith(_MODIFIERS)
    return bool(shortcut) and plain and not (shortcut[0] == "F" and shortcut[1:].isdigit())


def native(shortcut: str) -> str:
    """The key as this system writes it."""
    return QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def portable(event: QKeyEvent) -> str:
    """The pressed key in Qt's portable text, as actions name theirs."""
    pressed = QKeySequence(event.keyCombination())
    return pressed.toString(QKeySequence.SequenceFormat.PortableText)


def full_id(owner: QWidget, name: str) -> str:
    """What identifies an action everywhere: `page.name` for a page's, `name` for the window's."""
    page = getattr(owner, "name", "")
    return f"{page}.{name}" if page else name


def always() -> bool:
    """The state of an action that can be done at any time."""
    return True


@dataclass(frozen=True)
class Action:
    """One thing a person can do, as data: menus, the palette and the keys page are made of these.

    `id` is its name on its page, which keys are stored under after the page's name ("views.fit");
    `shortcut` is in Qt's portable text ("Ctrl+K", "Space"); `menu` names the menu it stands in, ""
    for the palette alone. `repeats` lets a held key do it again and again: only what moves or zooms
    may, or images are changed that nobody has seen.
    """

    id: str
    title: str
    callback: Callable[[], object]
    shortcut: str = ""
    enabled: Callable[[], bool] = always
    menu: str = ""
    repeats: bool = False


@dataclass
class _Placed:
    action: Action
    owner: QWidget
    drawn: QAction
    live_title: Callable[[], str] | None = None

    def title(self) -> str:
        return self.live_title() if self.live_title is not None else self.action.title


class CommandRegistry:
    """Holds every action of the window and of the pages made so far, each under its full id."""

    def __init__(self, keys: dict[str, str]) -> None:
        self._keys = keys
        self._placed: dict[str, _Placed] = {}

    def add(
        self, owner: QWidget, actions: Sequence[Action], menus: dict[str, QMenu]
    ) -> list[QAction]:
        """Make `actions` doable while `owner` is shown; each goes into the menu it names.

        Raises ValueError for an id that is taken."""
        made = []
        for action in (replace(each, id=full_id(owner, each.id)) for each in actions):
            if action.id in self._placed:
                raise ValueError(f"two actions have the id {action.id}")
            drawn = QAction(action.title, owner)
            drawn.setAutoRepeat(action.repeats)
            placed = _Placed(action, owner, drawn)
            drawn.triggered.connect(lambda _=False, name=action.id: self.trigger(name))
            self._placed[action.id] = placed
            self._show_key(placed)
            owner.addAction(drawn)
            if action.menu in menus:
                menus[action.menu].addAction(drawn)
            made.append(drawn)
        return made

    def set_title(self, name: str, title: Callable[[], str]) -> None:
        """A title that changes ("Undo label"), asked for when it is shown."""
        self._placed[name].live_title = title

    def key(self, action: Action) -> str:
        """The key of an action: the person's own, or the program's."""
        return self._keys.get(action.id, action.shortcut)

    def set_keys(self, keys: dict[str, str]) -> None:
        """The person chose other keys."""
        self._keys = keys
        for placed in self._placed.values():
            self._show_key(placed)

    def _show_key(self, placed: _Placed) -> None:
        key, title = self.key(placed.action), placed.title()
        bare = is_bare(key)
        placed.drawn.setShortcut(QKeySequence() if bare else QKeySequence(key))
        placed.drawn.setText(f"{title}\t{native(key)}" if bare else title)

    def trigger(self, name: str) -> bool:
        """Do an action if it can be done now."""
        placed = self._placed[name]
        if not placed.action.enabled():
            return False
        placed.action.callback()
        return True

    def bare(self, owner: QWidget | None, key: str) -> Action | None:
        """The action of `owner` that has the bare key `key`."""
        if not is_bare(key):
            return None
        for placed in self._placed.values():
            if placed.owner is owner and self.key(placed.action).lower() == key.lower():
                return placed.action
        return None

    def press(self, owner: QWidget | None, key: str) -> bool:
        """Do the action of `owner` that has the bare key `key`; False where there is none."""
        action = self.bare(owner, key)
        return action is not None and self.trigger(action.id)

    def refresh(self) -> None:
        """Set titles and what is possible, before a menu or the palette shows them."""
        for placed in self._placed.values():
            placed.drawn.setEnabled(placed.action.enabled())
            self._show_key(placed)

    def enable_all(self) -> None:
        """After a menu closed: keys must reach actions that become possible later."""
        for placed in self._placed.values():
            placed.drawn.setEnabled(True)

    def show_page(self, page: QWidget | None) -> None:
        """Only actions of the window and of `page` stand in the menus."""
        for placed in self._placed.values():
            placed.drawn.setVisible(placed.owner is page or isinstance(placed.owner, QMainWindow))

    def shown(self, page: QWidget | None) -> list[tuple[Action, str]]:
        """Actions of the window and of `page`, each with its present title."""
        return [
            (placed.action, placed.title())
            for placed in self._placed.values()
            if placed.owner is page or isinstance(placed.owner, QMainWindow)
        ]

    def everything(self) -> list[tuple[QWidget, Action]]:
        """All actions with the widget each belongs to."""
        return [(placed.owner, placed.action) for placed in self._placed.values()]
