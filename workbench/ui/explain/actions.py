"""What can be done on the Explain page, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.domain.requests import WINDOWS
from workbench.ui.page import Action

if TYPE_CHECKING:
    from workbench.ui.explain.page import ExplainPage


def explain_actions(page: ExplainPage) -> list[Action]:
    """The page's actions, in the order of the menus."""
    tr, side = page.tr, page.side

    def there() -> bool:
        return page.strip.current() is not None

    def action(name: str, title: str, callback: Callable[[], object], key: str = "") -> Action:
        return Action(name, title, callback, key, there, "View")

    return [
        Action("save_explanation", tr("Save as PNG…"), page.save, "Ctrl+S", there, "File"),
        action("wall", tr("One image or wall"), page.toggle_wall, "W"),
        action("explain_next", tr("Next image"), lambda: page.step(1)),
        action("explain_back", tr("Previous image"), lambda: page.step(-1)),
        action("explain_fit", tr("Fit the photograph"), page.stage.fit, "Ctrl+0"),
        action("deeper", tr("Deeper layer"), lambda: side.step_layer(-1), "["),
        action("shallower", tr("Shallower layer"), lambda: side.step_layer(1), "]"),
        action("windows", tr("Sliding windows"), lambda: side.choose_layer(WINDOWS)),
        action("more_map", tr("More of the map"), lambda: side.step_opacity(1), "+"),
        action("less_map", tr("Less of the map"), lambda: side.step_opacity(-1), "-"),
        action("predicted", tr("Explain the predicted label"), lambda: side.choose_key(0), "0"),
    ]
