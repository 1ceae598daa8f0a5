"""What can be done on the Images page, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.ui.page import Action
from workbench.ui.tiles.image_menu import remove_images

if TYPE_CHECKING:
    from workbench.ui.images.page import ImagesPage


def images_actions(page: ImagesPage) -> list[Action]:
    """The page's actions, in the order of the menus."""
    tr = page.tr

    def some() -> bool:
        return len(page.chosen()) > 0

    def similar() -> None:
        page.similar.find(page.chosen().tolist())

    def take_out() -> None:
        remove_images(page.context, page.chosen())

    bar, grid = page.bar, page.grid
    return [
        Action("clear_label", tr("No label"), lambda: page.give(None), "Backspace", some, "Label"),
        Action("select_all", tr("Select all"), grid.select_all, menu="Edit"),
        Action("images_search", tr("Search"), bar.search.setFocus, "Ctrl+F", menu="Edit"),
        Action("images_clear", tr("Clear filters"), bar.clear, "Ctrl+Shift+F", menu="View"),
        Action("similar", tr("Find similar"), similar, "Ctrl+J", some, "View"),
        Action("groups", tr("Groups…"), lambda: _groups(page), "Ctrl+G", menu="View"),
        Action("larger", tr("Larger thumbnails"), lambda: _resize(page, 32), "Ctrl++", menu="View"),
        Action(
            "smaller", tr("Smaller thumbnails"), lambda: _resize(page, -32), "Ctrl+-", menu="View"
        ),
        Action("skipped", tr("Skipped files…"), page.show_skipped, menu="File"),
        Action("take_out", tr("Take out of the project"), take_out, "Delete", some, "Edit"),
        Action("views_of", tr("Find in Views"), lambda: _in_views(page), "V", some, "View"),
    ]


def _groups(page: ImagesPage) -> None:
    page.groups.open() if page.groups.isHidden() else page.groups.close_panel()


def _resize(page: ImagesPage, step: int) -> None:
    page.header.slider.setValue(page.header.slider.value() + step)


def _in_views(page: ImagesPage) -> None:
    image = page.grid.current()
    if image is not None:
        page.context.go("views", image=image)
