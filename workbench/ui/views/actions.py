"""What can be done on the Views page, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.app.similar.suggesting import suggest_task
from workbench.ui.page import Action

if TYPE_CHECKING:
    from workbench.ui.views.page import ViewsPage


def views_actions(page: ViewsPage) -> list[Action]:
    """The page's actions, in the order of the menus."""
    tr = page.tr

    def there() -> bool:
        return page.strip.current() is not None

    return [
        Action("accept", tr("Accept the suggestion"), page.accept, "Space", there, "Label"),
        Action("no_label", tr("No label"), lambda: page.give(None), "Backspace", there, "Label"),
        Action("next_open", tr("Next unlabelled"), page.next_unlabelled, "N", there, "Label"),
        Action("forward", tr("Next image"), lambda: page.step("right"), "", there, "View"),
        Action("back", tr("Previous image"), lambda: page.step("left"), "", there, "View"),
        Action("fit", tr("Fit the photograph"), page.stage.fit, "Ctrl+0", there, "View"),
        Action("similar", tr("Find similar"), lambda: find_similar(page), "Ctrl+J", there, "View"),
        Action("suggest", tr("Suggest labels"), lambda: suggest_labels(page), "", there, "Label"),
        Action("view_labels", tr("Edit labels…"), page.edit_set, "Ctrl+Shift+L", menu="Label"),
    ]


def find_similar(page: ViewsPage) -> None:
    """Order the strip by how similar images are to the selected ones."""
    page.similar.find(page.strip.selected().tolist())


def suggest_labels(page: ViewsPage) -> None:
    """Have the newest run look at every image without a label of the active set."""
    context, label_set = page.context, page.session.active
    task = suggest_task(context.op, label_set)
    if task is None:
        said = page.tr("There is nothing to suggest: no finished run of “{0}” is left to ask.")
        context.notify(said.format(label_set), "info")
    else:
        context.op.jobs.start(task)
