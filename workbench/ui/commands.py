"""Commands: marked where they are carried out, found in menus, by keys and in the palette.

A command is a method of a page or of the window under `@command`:

    @command(QT_TRANSLATE_NOOP("Command", "Find similar"), key="Ctrl+J", menu=Menu.VIEW,
             when=has_image)
    def find_similar(self) -> None: ...

Its id is the page's name and the method's ("images.find_similar"); people's own keys are stored
under it, so `id` keeps the former one where the method has another name. `when` is a method
of the same class that stands above it.

Text for translation: what is shown at once is marked with `tr` where it is shown. What is read
before a translator can be installed (decorators, enums, tables of a module) is marked with
`QT_TRANSLATE_NOOP(context, text)` and translated where it is shown. lupdate finds both; it does
not find the class around a decorator, so the context of all commands is "Command".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QWidget

from workbench.domain.labels import LabelSet
from workbench.domain.text import mark, tr

_MODIFIERS = ("Ctrl+", "Alt+", "Meta+", "Shift+")
_MARK = "_command"  # attribute of a method under `@command`
Method = TypeVar("Method", bound=Callable[..., object])


class Menu(Enum):
    """The menus in the order of the menu bar; the values are their titles before translation."""

    FILE = mark("File")
    EDIT = mark("Edit")
    LABEL = mark("Label")
    RUN = mark("Run")
    VIEW = mark("View")
    MOUTHS = mark("Mouths")
    HELP = mark("Help")

    @property
    def title(self) -> str:
        """The translated title."""
        return tr(self.value)


def is_bare(shortcut: str) -> bool:
    """Whether a key is one without modifiers. Such keys are taken when no control wants them, so
    that Space still presses a focused button and letters can be typed; F-keys are always ours."""
    plain = not shortcut.startswith(_MODIFIERS)
    return bool(shortcut) and plain and not (shortcut[0] == "F" and shortcut[1:].isdigit())


def native(shortcut: str) -> str:
    """The key as this system writes it."""
    return QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def portable(event: QKeyEvent) -> str:
    """The pressed key in Qt's portable text, as commands name theirs."""
    pressed = QKeySequence(event.keyCombination())
    return pressed.toString(QKeySequence.SequenceFormat.PortableText)


def full_id(owner: QWidget, name: str) -> str:
    """What identifies a command everywhere: `page.name` for a page's, `name` for the window's."""
    page = getattr(owner, "name", "")
    return f"{page}.{name}" if page else name


def always() -> bool:
    """Enable a command at any time."""
    return True


@dataclass(frozen=True)
class Command:
    """One command of a page or window that exists: menus, palette and keys list are made of these.

    `id` is the full one; `key` is in Qt's portable text ("Ctrl+K", "Space"); without `menu` the
    palette alone lists it. `title` is translated, and `live_title` returns the one of the moment
    ("Undo Label 1 image"). `repeats` lets a held key run it again and again: only what moves or
    zooms may, or images are changed that nobody has seen.
    """

    id: str
    title: str
    run: Callable[[], object]
    key: str = ""
    menu: Menu | None = None
    enabled: Callable[[], bool] = always
    repeats: bool = False
    live_title: Callable[[], str] | None = None

    def title_now(self) -> str:
        """The title to show at this moment."""
        return self.title if self.live_title is None else self.live_title()


@dataclass(frozen=True)
class _Mark:
    """What `@command` notes on a method."""

    id: str
    title: str
    key: str
    menu: Menu | None
    when: Callable[[Any], bool] | None
    repeats: bool
    live_title: Callable[[Any], str] | None

    def bind(self, owner: QWidget, method: str) -> Command:
        """The command of one page or window."""
        return Command(
            id=full_id(owner, self.id),
            title=tr(self.title),
            run=getattr(owner, method),
            key=self.key,
            menu=self.menu,
            enabled=always if self.when is None else partial(self.when, owner),
            repeats=self.repeats,
            live_title=None if self.live_title is None else partial(self.live_title, owner),
        )


def command(
    title: object,
    *,
    id: str = "",
    key: str = "",
    menu: Menu | None = None,
    when: Callable[[Any], bool] | None = None,
    repeats: bool = False,
    live_title: Callable[[Any], str] | None = None,
) -> Callable[[Method], Method]:
    """Make a method without arguments a command; see the module's docstring and `Command`.

    `title` is the result of `QT_TRANSLATE_NOOP("Command", ...)`; `id` is the method's name unless
    given; `when` and `live_title` are called with the page or window.
    """

    def mark(method: Method) -> Method:
        name = id or method.__name__
        setattr(method, _MARK, _Mark(name, str(title), key, menu, when, repeats, live_title))
        return method

    return mark


def commands_of(owner: QWidget) -> list[Command]:
    """The commands that the owner's classes define, base classes first, in order of definition."""
    marks: dict[str, _Mark] = {}
    for kind in reversed(type(owner).__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, FunctionType) and hasattr(value, _MARK):
                marks[name] = getattr(value, _MARK)
    return [mark.bind(owner, name) for name, mark in marks.items()]


@dataclass(frozen=True)
class _Placed:
    command: Command
    owner: QWidget
    drawn: QAction


class CommandRegistry:
    """Holds every command of the window and of the pages made so far, each under its full id."""

    def __init__(self, keys: dict[str, str]) -> None:
        """`keys` are the person's own: full id of the command → key in Qt's portable text."""
        self._keys = keys
        self._placed: dict[str, _Placed] = {}

    def add(self, owner: QWidget, commands: Sequence[Command], menus: Mapping[Menu, QMenu]) -> None:
        """Enable `commands` while `owner` is shown; each goes into its menu, where `menus` has it.

        Raises ValueError for an id that is taken."""
        for each in commands:
            if each.id in self._placed:
                raise ValueError(f"two commands have the id {each.id}")
            drawn = QAction(each.title, owner)
            drawn.setAutoRepeat(each.repeats)
            drawn.triggered.connect(lambda _=False, name=each.id: self.trigger(name))
            placed = self._placed[each.id] = _Placed(each, owner, drawn)
            self._show_key(placed)
            owner.addAction(drawn)
            if each.menu is not None and each.menu in menus:
                menus[each.menu].addAction(drawn)

    def key(self, command: Command) -> str:
        """The key of a command: the person's own, or the program's."""
        return self._keys.get(command.id, command.key)

    def set_keys(self, keys: dict[str, str]) -> None:
        """The person chose other keys."""
        self._keys = keys
        for placed in self._placed.values():
            self._show_key(placed)

    def _show_key(self, placed: _Placed) -> None:
        key, title = self.key(placed.command), placed.command.title_now()
        bare = is_bare(key)
        placed.drawn.setShortcut(QKeySequence() if bare else QKeySequence(key))
        placed.drawn.setText(f"{title}\t{native(key)}" if bare else title)

    def trigger(self, name: str) -> bool:
        """Run a command if it is enabled now."""
        placed = self._placed[name]
        if not placed.command.enabled():
            return False
        placed.command.run()
        return True

    def bare(self, owner: QWidget | None, key: str) -> Command | None:
        """The command of `owner` that has the bare key `key`."""
        if not is_bare(key):
            return None
        for placed in self._placed.values():
            if placed.owner is owner and self.key(placed.command).lower() == key.lower():
                return placed.command
        return None

    def press(self, owner: QWidget | None, key: str) -> bool:
        """Run the command of `owner` that has the bare key `key`; False where there is none."""
        found = self.bare(owner, key)
        return found is not None and self.trigger(found.id)

    def refresh(self) -> None:
        """Set titles and what is enabled, before a menu shows them."""
        for placed in self._placed.values():
            placed.drawn.setEnabled(placed.command.enabled())
            self._show_key(placed)

    def enable_all(self) -> None:
        """After a menu closed: keys must reach commands that are enabled later."""
        for placed in self._placed.values():
            placed.drawn.setEnabled(True)

    def show_page(self, page: QWidget | None) -> None:
        """Only commands of the window and of `page` stand in the menus."""
        for placed in self._placed.values():
            placed.drawn.setVisible(_reaches(placed.owner, page))

    def shown(self, page: QWidget | None) -> list[Command]:
        """Commands of the window and of `page`."""
        return [p.command for p in self._placed.values() if _reaches(p.owner, page)]

    def everything(self) -> list[tuple[QWidget, Command]]:
        """All commands with the widget each belongs to."""
        return [(placed.owner, placed.command) for placed in self._placed.values()]


def _reaches(owner: QWidget, page: QWidget | None) -> bool:
    return owner is page or isinstance(owner, QMainWindow)


class Menus(QObject):
    """The menus of a window, one per `Menu`; those without commands are hidden."""

    def __init__(self, window: QMainWindow, commands: CommandRegistry) -> None:
        super().__init__(window)
        self._commands = commands
        bar = window.menuBar()
        self._menus = {menu: bar.addMenu(menu.title) for menu in Menu}
        for made in self._menus.values():
            made.aboutToShow.connect(commands.refresh)
            made.aboutToHide.connect(lambda: QTimer.singleShot(0, self, commands.enable_all))

    def __getitem__(self, menu: Menu) -> QMenu:
        return self._menus[menu]

    def add(self, owner: QWidget, commands: Sequence[Command]) -> None:
        """Register the commands of a page or of the window, and put each into its menu."""
        self._commands.add(owner, commands, self._menus)

    def show_page(self, page: QWidget | None) -> None:
        """Commands of hidden pages leave the menus, and menus without commands leave the bar."""
        self._commands.show_page(page)
        for menu in self._menus.values():
            menu.menuAction().setVisible(any(action.isVisible() for action in menu.actions()))


class RecentProjects(QMenu):
    """The projects opened of late, read each time the menu above opens."""

    def __init__(
        self,
        parent: QMenu,
        folders: Callable[[], Sequence[Path]],
        open_project: Callable[[Path], None],
    ) -> None:
        """`folders()` are listed without those that are open; `open_project(folder)` opens one."""
        super().__init__(parent)
        self.setTitle(tr("Open recent"))
        self._folders, self._open = folders, open_project
        parent.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for folder in self._folders():
            action = self.addAction(folder.stem)
            action.setToolTip(str(folder))
            action.triggered.connect(lambda _=False, f=folder: self._open(f))
        self.setEnabled(not self.isEmpty())


_ENTER = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
_MOVES_AND_ZOOMS = frozenset(
    {
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_Tab,
        Qt.Key.Key_Backtab,
        Qt.Key.Key_Plus,
        Qt.Key.Key_Equal,
        Qt.Key.Key_Minus,
    }
)


class HeldKeys(QObject):
    """Filter of a window's key events that drops repeats which would label or accept unseen images.

    It watches the native window, so it comes before every widget and page. Keys that menus own do
    not get here: Qt repeats them as `Command.repeats` says.
    """

    def __init__(
        self,
        window: QWidget,
        commands: CommandRegistry,
        page: Callable[[], QWidget | None],
        label_sets: Callable[[], Mapping[str, LabelSet]],
    ) -> None:
        """`page()` is the page that is shown, `label_sets()` all sets whose labels have keys."""
        super().__init__(window)
        self._window, self._commands = window, commands
        self._page, self._label_sets = page, label_sets

    def watch(self) -> None:
        """Begin to filter; the window must have been shown. A second call does nothing."""
        self._window.windowHandle().installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.isAutoRepeat():
            return not self._may_repeat(event)
        return False

    def _may_repeat(self, event: QKeyEvent) -> bool:
        focus = self._window.focusWidget()
        if focus is not None and focus.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            return event.key() not in _ENTER  # a field to type in, whose Enter may label
        if any(labels.label_for_key(event.text()) for labels in self._label_sets().values()):
            return False
        command = self._commands.bare(self._page(), portable(event))
        return command.repeats if command is not None else event.key() in _MOVES_AND_ZOOMS
