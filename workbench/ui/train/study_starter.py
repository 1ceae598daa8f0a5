"""From the Train page's settings to a study under way on the Results page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from workbench.app.training.choices import specs_task
from workbench.app.training.studying import study_task
from workbench.domain.methods import Spec
from workbench.domain.studies import Plan, Study
from workbench.ui.page import Context
from workbench.ui.train.study_dialog import StudyDialog


class StudyStarter(QObject):
    """`base` gives the recipe keys chosen on the page."""

    def __init__(
        self, context: Context, base: Callable[[], Mapping[str, Any]], page: QWidget
    ) -> None:
        super().__init__(page)
        self._context, self._base, self._page = context, base, page
        self.dialog: StudyDialog | None = None

    def ask(self) -> None:
        """Open the dialog, once it is known what can be compared."""
        self._context.op.jobs.start(specs_task(self._open))

    def _open(self, specs: list[Spec]) -> None:
        self.dialog = StudyDialog(self._base(), specs, self._page)
        self.dialog.accepted.connect(self._take)
        self.dialog.open()

    def _take(self) -> None:
        plan = self.dialog.plan if self.dialog is not None else None
        if plan is not None:
            self.start(plan)

    def start(self, plan: Plan) -> None:
        """Keep the study and show it going on; why it cannot is how its check fails."""
        self._context.op.jobs.start(study_task(self._context.op, plan, self._show))

    def _show(self, study: Study) -> None:
        self._context.go("results", study=study.id)
