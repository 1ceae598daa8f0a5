"""What can be done on the Results page, as menus, the palette and the keys see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ui.page import Action

if TYPE_CHECKING:
    from workbench.ui.results.page import ResultsPage


def results_actions(page: ResultsPage) -> list[Action]:
    """The page's actions."""
    tr = page.tr
    menu = "Run"
    saves = (
        ("matrix", tr("Save matrix as CSV…"), page.matrix.copies),
        ("classes", tr("Save classes as CSV…"), page.classes.copies),
        ("curves", tr("Save curves as CSV…"), page.curves.whole),
        ("runs", tr("Save runs as CSV…"), page.copies),
    )
    return [
        Action("results.rename", tr("Rename run"), page.table.rename_current, menu=menu),
        Action(
            "results.remove",
            tr("Delete run…"),
            lambda: page.remove_run(page.table.current_run()),
            menu=menu,
            enabled=lambda: bool(page.table.current_run()),
        ),
        Action("results.explain", tr("Explain these images"), page.images.explain),
        *(Action(f"results.{n}_csv", t, c.ask_data, menu=menu) for n, t, c in saves),
    ]
