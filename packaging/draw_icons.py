"""Draws the application's icon as PNG, ICO and ICNS."""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).resolve().parent.parent / "resources" / "icons"
SIDE = 1024
TOP, BOTTOM = (44, 62, 92), (20, 28, 44)  # of the tile
FRAME, CONE, SUBJECT = (238, 242, 248), (86, 180, 233), (230, 159, 0)


def tile() -> Image.Image:
    """Draw a rounded square that is darker at the bottom."""
    shade = Image.new("RGB", (1, SIDE))
    for y in range(SIDE):
        t = y / (SIDE - 1)
        shade.putpixel(
            (0, y), tuple(round(a + (b - a) * t) for a, b in zip(TOP, BOTTOM, strict=True))
        )
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rounded_rectangle((40, 40, SIDE - 40, SIDE - 40), 210, fill=255)
    icon = Image.new("RGBA", (SIDE, SIDE))
    icon.paste(shade.resize((SIDE, SIDE)), (0, 0), mask)
    return icon


def draw() -> Image.Image:
    """Draw a subject in a viewfinder's frame, and the cone of view from a vantage point."""
    icon = tile()
    veil = Image.new("RGBA", icon.size)
    eye, reach, middle, half = (250, 774), 620, -45, 23
    box = (eye[0] - reach, eye[1] - reach, eye[0] + reach, eye[1] + reach)
    ImageDraw.Draw(veil).pieslice(box, middle - half, middle + half, fill=(*CONE, 120))
    icon = Image.alpha_composite(icon, veil)
    pen = ImageDraw.Draw(icon)
    at = [e + 400 * f(math.radians(middle)) for e, f in zip(eye, (math.cos, math.sin), strict=True)]
    pen.ellipse([at[0] - 118, at[1] - 118, at[0] + 118, at[1] + 118], fill=SUBJECT)
    pen.ellipse([eye[0] - 62, eye[1] - 62, eye[0] + 62, eye[1] + 62], fill=FRAME)
    _frame(pen, at, 212)
    return icon


def _frame(pen: ImageDraw.ImageDraw, at: list[float], half: int) -> None:
    """Draw the four corners of a frame around a point."""
    arm, width = 118, 44
    for across in (-1, 1):
        for along in (-1, 1):
            x, y = at[0] + across * half, at[1] + along * half
            points = [(x - across * arm, y), (x, y), (x, y - along * arm)]
            pen.line(points, fill=FRAME, width=width, joint="curve")
            for end in points:
                pen.ellipse([c + s * width / 2 for s in (-1, 1) for c in end], fill=FRAME)


def main() -> None:
    """Write all icon files that the application and its packages use."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    icon = draw()
    icon.resize((256, 256), Image.Resampling.LANCZOS).save(FOLDER / "workbench.png", optimize=True)
    large = icon.resize((512, 512), Image.Resampling.LANCZOS)
    large.save(FOLDER / "workbench.ico", sizes=[(s, s) for s in (16, 24, 32, 48, 64, 128, 256)])
    large.save(FOLDER / "workbench.icns")


if __name__ == "__main__":
    main()
