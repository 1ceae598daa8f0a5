"""From the Train page to a transfer that goes on whether its dialog is open or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from workbench.app.transfer.transfer_queue import TransferQueue
from workbench.domain.transfers import Transfer
from workbench.ui.page import Context
from workbench.ui.transfer.dialog import TransferDialog


class TransferStarter(QObject):
    """`keys` gives the recipe keys chosen on the page."""

    def __init__(
        self, context: Context, keys: Callable[[], Mapping[str, Any]], page: QWidget
    ) -> None:
        super().__init__(page)
        self._context, self._keys, self._page = context, keys, page
        self.queue = TransferQueue(context.op, context.queue, self)
        self.queue.refused.connect(lambda text: context.notify(text, "bad"))
        self.queue.finished.connect(self._say)
        self.dialog: TransferDialog | None = None

    def ask(self) -> None:
        """Open the dialog on the transfer under way, or on what is chosen now."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = TransferDialog(self._context, self.queue, self._keys(), self._page)
        self.dialog.results_wanted.connect(lambda run: self._context.go("results", run=run))
        self.dialog.open()

    def _say(self, transfer: Transfer) -> None:
        text = self.tr("Transfer from {0} done: kept up to {1} wins with {2} of {3} votes.")
        won = next(c for c in transfer.candidates if c.frozen == transfer.winner)
        said = text.format(transfer.source, transfer.winner, won.votes, transfer.voted)
        self._context.notify(said, "info")
