"""The page that shows all images: every page with its states, each in all themes and sizes."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from tests.gallery.comparing import Compared, Verdict
from tests.gallery.screenshots import SCREENS, THEMES, Screenshot, screenshots_in

FIRST = ("images", "views", "mouths", "train", "results", "explain")
_SIZES = [screen.name for screen in SCREENS]

_STYLE = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 0 24px 48px; background: #8a8a8f; }
nav { position: sticky; top: 0; padding: 8px 0; background: #8a8a8f; }
nav a { margin-right: 12px; color: #000; }
h2 { margin: 32px 0 0; } h3 { margin: 16px 0 4px; font-weight: 600; }
.row { display: grid; grid-auto-flow: column; grid-auto-columns: minmax(220px, 1fr); gap: 8px;
  overflow-x: auto; align-items: start; }
figure { margin: 0; } figcaption { font-size: 12px; }
img { width: 100%; display: block; border: 1px solid #555; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; max-width: 1900px; }
.differs { background: #ffd9a0; } .new, .gone { background: #bfe3ff; }
table { border-collapse: collapse; } td { padding: 1px 12px 1px 0; }
"""


def write_index(folder: Path) -> Path:
    """Write `index.html` for the images that lie in `folder`."""
    parts = []
    for page, states in _grouped(screenshots_in(folder)):
        parts.append(f'<h2 id="{html.escape(page)}">{html.escape(page)}</h2>')
        for state, screenshots in states:
            figures = "".join(_figure(screenshot) for screenshot in screenshots)
            parts.append(f'<h3>{html.escape(state)}</h3><div class="row">{figures}</div>')
    file = folder / "index.html"
    file.write_text(_document("Gallery", screenshots_in(folder), parts), encoding="utf-8")
    return file


def write_comparison(folder: Path, old: Path, found: Sequence[Compared]) -> Path:
    """Write `beside.html`: each image of `folder` beside its older one, those that differ
    listed first."""
    by_screenshot = {one.screenshot: one for one in found}
    away = quote(Path(os.path.relpath(old, folder)).as_posix())
    parts = [_summary(found)]
    for page, states in _grouped(by_screenshot):
        parts.append(f'<h2 id="{html.escape(page)}">{html.escape(page)}</h2>')
        for state, screenshots in states:
            parts.append(f"<h3>{html.escape(state)}</h3>")
            parts += [_pair(by_screenshot[screenshot], away) for screenshot in screenshots]
    file = folder / "beside.html"
    file.write_text(_document("Before and after", by_screenshot, parts), encoding="utf-8")
    return file


def _grouped(
    screenshots: Iterable[Screenshot],
) -> list[tuple[str, list[tuple[str, list[Screenshot]]]]]:
    """Pages in their order, in each its states, in each its images."""
    ordered = sorted(screenshots, key=_place)
    return [
        (page, [(state, list(same)) for state, same in groupby(of_page, lambda p: p.state)])
        for page, of_page in groupby(ordered, lambda p: p.page)
    ]


def _place(screenshot: Screenshot) -> tuple[int, str, str, int, int]:
    page = FIRST.index(screenshot.page) if screenshot.page in FIRST else len(FIRST)
    size = _SIZES.index(screenshot.size) if screenshot.size in _SIZES else len(_SIZES)
    return page, screenshot.page, screenshot.state, size, THEMES.index(screenshot.theme)


def _figure(screenshot: Screenshot) -> str:
    file, words = quote(screenshot.file), html.escape(f"{screenshot.theme}, {screenshot.size}")
    return f'<figure id="{file}">{_linked(file, words)}<figcaption>{words}</figcaption></figure>'


def _linked(address: str, words: str) -> str:
    """An image that opens in full when it is clicked."""
    return f'<a href="{address}"><img loading="lazy" src="{address}" alt="{words}"></a>'


def _pair(one: Compared, away: str) -> str:
    screenshot, file = one.screenshot, quote(one.screenshot.file)
    sides = [
        _linked(place, words) if there else f"no screenshot {words}"
        for place, words, there in (
            (f"{away}/{file}", "before", one.verdict is not Verdict.NEW),
            (file, "after", one.verdict is not Verdict.GONE),
        )
    ]
    output = html.escape(f"{screenshot.theme}, {screenshot.size}: {one.text}")
    return (
        f'<div id="{file}"><div class="{one.verdict.value}">{output}</div>'
        f'<div class="pair">{"".join(f"<div>{side}</div>" for side in sides)}</div></div>'
    )


def _summary(found: Sequence[Compared]) -> str:
    changed = [one for one in found if one.verdict is not Verdict.SAME]
    rows = "".join(
        f'<tr><td><a href="#{quote(file)}">{html.escape(file)}</a></td>'
        f"<td>{html.escape(text)}</td></tr>"
        for file, text in (
            (one.screenshot.file, one.text) for one in sorted(changed, key=lambda one: -one.share)
        )
    )
    same = len(found) - len(changed)
    return f"<p>{len(changed)} differ, {same} are the same.</p><table>{rows}</table>"


def _document(title: str, screenshots: Iterable[Screenshot], parts: Sequence[str]) -> str:
    pages = [page for page, _ in _grouped(screenshots)]
    links = " ".join(f'<a href="#{html.escape(p)}">{html.escape(p)}</a>' for p in pages)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1><nav>{links}</nav>{chr(10).join(parts)}</html>\n"
    )
