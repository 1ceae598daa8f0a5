"""Commands: defined on the page that runs them, available in menus, by shortcut and in the palette.

A command is a method of a page or of the window, decorated with `@command`:

    @command(mark("Find similar"), key="Ctrl+J", menu=Menu.VIEW, when=has_image)
    def find_similar(self) -> None: ...

Its id is the name of the page and of the method ("images.find_similar"). Shortcuts that users have
changed are stored under the id, so pass `id` to keep it when a method is renamed. `when` is a
method of the same class, defined above the command; commands that change the project have
`edits=True`, and are disabled if it is read-only. Texts of widgets show a shortcut with
`ShortcutTip` or `ShortcutText`, which follow such changes.
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
from workbench.ui.look.markup import plain_text

_MODIFIERS = ("Ctrl+", "Alt+", "Meta+", "Shift+")
_MARK = "_command"  # attribute of a method under `@command`
Method = TypeVar("Method", bound=Callable[..., object])


class Menu(Enum):
    """The menus, in the order of the menu bar; the values are the untranslated titles."""

    FILE = mark("File", "menu")
    EDIT = mark("Edit", "menu")
    LABEL = mark("Label", "menu")
    RUN = mark("Run", "menu")
    VIEW = mark("View", "menu")
    MOUTHS = mark("Mouths", "menu")
    HELP = mark("Help", "menu")

    @property
    def title(self) -> str:
        """The translated title."""
        return tr(self.value, "menu")


def is_bare(shortcut: str) -> bool:
    """Whether a shortcut has no modifiers and is not a function key.

    Such keys run a command only if the focused control ignores them, so that Space still presses a
    button and letters can be typed.
    """
    plain = not shortcut.startswith(_MODIFIERS)
    return bool(shortcut) and plain and not (shortcut[0] == "F" and shortcut[1:].isdigit())


def native(shortcut: str) -> str:
    """The shortcut as this platform writes it."""
    return QKeySequence(shortcut).toString(QKeySequence.SequenceFormat.NativeText)


def portable(event: QKeyEvent) -> str:
    """The pressed key in Qt's portable text, the form in which commands give their shortcuts."""
    pressed = QKeySequence(event.keyCombination())
    return pressed.toString(QKeySequence.SequenceFormat.PortableText)


def full_id(owner: QWidget, name: str) -> str:
    """The id of a command: "page.name" for a command of a page, "name" for one of the window."""
    page = getattr(owner, "name", "")
    return f"{page}.{name}" if page else name


def always() -> bool:
    """Keep a command enabled at all times."""
    return True


def never() -> bool:
    """Keep a command disabled at all times."""
    return False


@dataclass(frozen=True)
class Command:
    """A command of an existing page or window, as menus, palette and list of shortcuts show it.

    `id` is the full id; `key` is in Qt's portable text ("Ctrl+K", "Space"); a command without
    `menu` is in the palette only. `title` is translated; `live_title` returns a title that depends
    on the current state ("Undo Label 1 image"). `repeats` allows a held key to repeat the command:
    only for commands that move or zoom, so that no unseen image is changed.
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
        """The title for the current state."""
        return self.title if self.live_title is None else self.live_title()


@dataclass(frozen=True)
class _Mark:
    """What `@command` stores on a method."""

    id: str
    title: str
    key: str
    menu: Menu | None
    when: Callable[[Any], bool] | None
    repeats: bool
    live_title: Callable[[Any], str] | None
    edits: bool

    def bind(self, owner: QWidget, method: str) -> Command:
        """The command of one page or window, with `method` of `owner` as its action."""
        return Command(
            id=full_id(owner, self.id),
            title=tr(self.title),
            run=getattr(owner, method),
            key=self.key,
            menu=self.menu,
            enabled=self._condition(owner),
            repeats=self.repeats,
            live_title=None if self.live_title is None else partial(self.live_title, owner),
        )

    def _condition(self, owner: QWidget) -> Callable[[], bool]:
        if self.edits and owner.context.session.read_only is not None:  # type: ignore[attr-defined]
            return never
        return always if self.when is None else partial(self.when, owner)


def command(
    title: str,
    *,
    id: str = "",
    key: str = "",
    menu: Menu | None = None,
    when: Callable[[Any], bool] | None = None,
    repeats: bool = False,
    live_title: Callable[[Any], str] | None = None,
    edits: bool = False,
) -> Callable[[Method], Method]:
    """Make a method without arguments a command; see the module's docstring and `Command`.

    `title` is a text marked with `mark`; `id` defaults to the method's name; `when` and
    `live_title` are called with the page or window; `edits` disables it in a read-only project.
    """

    def attach(method: Method) -> Method:
        name = id or method.__name__
        setattr(method, _MARK, _Mark(name, title, key, menu, when, repeats, live_title, edits))
        return method

    return attach


def commands_of(owner: QWidget) -> list[Command]:
    """The commands defined by the owner's classes, base classes first, in order of definition."""
    marks: dict[str, _Mark] = {}
    for kind in reversed(type(owner).__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, FunctionType) and hasattr(value, _MARK):
                marks[name] = getattr(value, _MARK)
    return [found.bind(owner, name) for name, found in marks.items()]


@dataclass(frozen=True)
class _Entry:
    command: Command
    owner: QWidget
    action: QAction


class ShortcutText(QObject):
    """Shows the shortcuts of commands in a text of its parent, and again when users change them.

    They are unknown until the commands of the page or window around the parent are registered.
    """

    def __init__(
        self, parent: QWidget, show: Callable[[Sequence[str]], object], *commands: str
    ) -> None:
        """`show(shortcuts)` gets those of `commands` (full ids), as this platform writes them."""
        super().__init__(parent)
        self.commands = commands
        self._show = show

    def set_shortcuts(self, shortcuts: Sequence[str]) -> None:
        """Show these shortcuts, one for each command."""
        self._show(shortcuts)


class ShortcutTip(ShortcutText):
    """A tooltip that ends with the shortcuts of one or two commands in parentheses."""

    def __init__(self, widget: QWidget, text: str, *commands: str) -> None:
        super().__init__(widget, self._show_tip, *commands)
        self._widget, self._text = widget, text
        self._shortcuts: Sequence[str] = ()
        self._show_tip(())

    def set_text(self, text: str) -> None:
        """Change the text before the shortcuts."""
        self._text = text
        self._show_tip(self._shortcuts)

    def _show_tip(self, shortcuts: Sequence[str]) -> None:
        self._shortcuts = [each for each in shortcuts if each]
        text = self._text
        if len(self._shortcuts) == 1:
            text = tr("{text} ({shortcut})").format(text=text, shortcut=self._shortcuts[0])
        elif self._shortcuts:
            first, second = self._shortcuts
            text = tr("{text} ({first} and {second})").format(text=text, first=first, second=second)
        self._widget.setToolTip(text)


class CommandRegistry:
    """All commands of the window and of the pages created so far, by full id."""

    def __init__(self, keys: dict[str, str]) -> None:
        """`keys` are the user's shortcuts: full id of the command → key in Qt's portable text."""
        self._keys = keys
        self._entries: dict[str, _Entry] = {}

    def add(self, owner: QWidget, commands: Sequence[Command], menus: Mapping[Menu, QMenu]) -> None:
        """Enable `commands` while `owner` is shown, and add each to its menu if it is in `menus`.

        Raises ValueError if an id is in use."""
        for each in commands:
            if each.id in self._entries:
                raise ValueError(f"two commands have the id {each.id}")
            action = QAction(each.title, owner)
            action.setAutoRepeat(each.repeats)
            action.triggered.connect(lambda _=False, name=each.id: self.trigger(name))
            entry = self._entries[each.id] = _Entry(each, owner, action)
            self._show_key(entry)
            owner.addAction(action)
            if each.menu is not None and each.menu in menus:
                menus[each.menu].addAction(action)
        self._show_in_texts(owner)

    def key(self, command: Command) -> str:
        """The shortcut of a command: the user's, or else the default."""
        return self._keys.get(command.id, command.key)

    def set_keys(self, keys: dict[str, str]) -> None:
        """Replace the user's shortcuts."""
        self._keys = keys
        for entry in self._entries.values():
            self._show_key(entry)
        for owner in {entry.owner for entry in self._entries.values()}:
            self._show_in_texts(owner)

    def _show_in_texts(self, owner: QWidget) -> None:
        for text in owner.findChildren(ShortcutText):
            if all(name in self._entries for name in text.commands):
                keys = [self.key(self._entries[name].command) for name in text.commands]
                text.set_shortcuts([native(key) for key in keys])

    def _show_key(self, entry: _Entry) -> None:
        key, title = self.key(entry.command), entry.command.title_now()
        bare = is_bare(key)
        entry.action.setShortcut(QKeySequence() if bare else QKeySequence(key))
        entry.action.setText(f"{title}\t{native(key)}" if bare else title)

    def trigger(self, name: str) -> bool:
        """Run the command with this id if it is enabled; return whether it ran."""
        entry = self._entries[name]
        if not entry.command.enabled():
            return False
        entry.command.run()
        return True

    def bare(self, owner: QWidget | None, key: str) -> Command | None:
        """The command of `owner` with the shortcut `key`, a key without modifiers; else None."""
        if not is_bare(key):
            return None
        for entry in self._entries.values():
            if entry.owner is owner and self.key(entry.command).lower() == key.lower():
                return entry.command
        return None

    def press(self, owner: QWidget | None, key: str) -> bool:
        """Run the command of `owner` with the shortcut `key`, a key without modifiers.

        Returns False if there is none or it is disabled."""
        found = self.bare(owner, key)
        return found is not None and self.trigger(found.id)

    def refresh(self) -> None:
        """Update titles and enabled states before a menu is shown."""
        for entry in self._entries.values():
            entry.action.setEnabled(entry.command.enabled())
            self._show_key(entry)

    def enable_all(self) -> None:
        """Enable all actions after a menu has closed, so that shortcuts reach commands that become
        enabled later."""
        for entry in self._entries.values():
            entry.action.setEnabled(True)

    def show_page(self, page: QWidget | None) -> None:
        """Show only the commands of the window and of `page` in the menus."""
        for entry in self._entries.values():
            entry.action.setVisible(_is_available(entry.owner, page))

    def shown(self, page: QWidget | None) -> list[Command]:
        """The commands of the window and of `page`."""
        return [e.command for e in self._entries.values() if _is_available(e.owner, page)]

    def everything(self) -> list[tuple[QWidget, Command]]:
        """All commands, each with the widget it belongs to."""
        return [(entry.owner, entry.command) for entry in self._entries.values()]


def _is_available(owner: QWidget, page: QWidget | None) -> bool:
    return owner is page or isinstance(owner, QMainWindow)


class Menus(QObject):
    """The menus of a window, one per `Menu`; menus without commands are hidden."""

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
        """Register the commands of a page or of the window and add them to their menus."""
        self._commands.add(owner, commands, self._menus)

    def show_page(self, page: QWidget | None) -> None:
        """Hide the commands of other pages, and menus without commands."""
        self._commands.show_page(page)
        for menu in self._menus.values():
            menu.menuAction().setVisible(any(action.isVisible() for action in menu.actions()))


class RecentProjects(QMenu):
    """A submenu of recently opened projects, updated whenever its parent menu opens."""

    def __init__(
        self,
        parent: QMenu,
        folders: Callable[[], Sequence[Path]],
        open_project: Callable[[Path], None],
    ) -> None:
        """`folders()` returns the folders to list; `open_project(folder)` opens one of them."""
        super().__init__(parent)
        self.setTitle(tr("Open recent"))
        self._folders, self._open = folders, open_project
        parent.aboutToShow.connect(self._fill)

    def _fill(self) -> None:
        self.clear()
        for folder in self._folders():
            action = self.addAction(folder.stem)
            action.setToolTip(plain_text(str(folder)))
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
    """An event filter that drops repeated key presses which would label or accept unseen images.

    It filters the native window's events, before any widget or page receives them. Shortcuts of
    menu actions do not arrive here: Qt repeats them according to `Command.repeats`.
    """

    def __init__(
        self,
        window: QWidget,
        commands: CommandRegistry,
        page: Callable[[], QWidget | None],
        label_sets: Callable[[], Mapping[str, LabelSet]],
    ) -> None:
        """`page()` returns the current page, `label_sets()` the sets whose labels have keys."""
        super().__init__(window)
        self._window, self._commands = window, commands
        self._page, self._label_sets = page, label_sets

    def watch(self) -> None:
        """Start filtering; the window must have been shown. A second call has no effect."""
        self._window.windowHandle().installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.isAutoRepeat():
            return not self._may_repeat(event)
        return False

    def _may_repeat(self, event: QKeyEvent) -> bool:
        focus = self._window.focusWidget()
        if focus is not None and focus.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
            return event.key() not in _ENTER  # in a text field, Enter may assign a label
        if any(labels.label_for_key(event.text()) for labels in self._label_sets().values()):
            return False
        command = self._commands.bare(self._page(), portable(event))
        return command.repeats if command is not None else event.key() in _MOVES_AND_ZOOMS
