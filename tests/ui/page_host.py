"""What the window does for a page that is tested alone."""

from __future__ import annotations

from types import SimpleNamespace

from workbench.app.images.thumbnails import ThumbnailLoader
from workbench.app.open_project import OpenProject
from workbench.app.training.training_queue import TrainingQueue
from workbench.ui.page import Context


class PageHost:
    """Holds a page's context; remembers where the page wanted to go and what it said."""

    def __init__(self, op: OpenProject) -> None:
        self.went: list[tuple[str, dict[str, object]]] = []
        self.said: list[tuple[str, str]] = []
        self.queue = TrainingQueue(op)
        self.thumbnails = ThumbnailLoader(op)
        self.context = Context(
            op=op,
            service=SimpleNamespace(),
            queue=self.queue,
            thumbnails=self.thumbnails,
            go=lambda page, **what: self.went.append((page, what)),
            notify=lambda text, kind: self.said.append((text, kind)),
        )

    def close(self) -> None:
        """End what was started."""
        self.queue.close()
        self.context.op.jobs.stop_all_and_wait()
        self.thumbnails.close()
