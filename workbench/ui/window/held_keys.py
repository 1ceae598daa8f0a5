"""What a key does while it is held down: it moves, zooms and types, and does all else only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from workbench.domain.labels import LabelSet
from workbench.ui.commands import CommandRegistry, portable

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
