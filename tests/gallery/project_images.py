"""The images of the prepared projects: real ones, or drawn vehicles and faces."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from workbench.app.image_files import is_image
from workbench.demo.faces import draw_scene
from workbench.demo.toys import BODIES, VIEWS, save_toy
from workbench.vision.sheets import save_png

CATEGORIES = 6
EACH = 12  # images of a category
FACES = 12
SIDE = 256  # of a drawn vehicle, in pixels

MARKUP = "<i>"  # in names: Qt would take them for HTML
IN_PATHS = MARKUP if os.name == "posix" else ""

LONG_LABELS = (
    "红嘴蓝鹊（成鸟·繁殖羽·侧面）",
    "White-faced whistling duck, adult in breeding plumage, seen from the side",
    "白腹锦鸡与红腹锦鸡的杂交个体",
    "Dendrocygna_viduata_(Linnaeus,_1766)_subadult_first_winter_plumage",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
    f"Northern rough-winged {MARKUP}swallow",
    "褐翅鸦鹃",
    "Blue-and-yellow macaw × scarlet macaw (hybrid, captive bred)",
    "黄腰柳莺·幼鸟",
    "Great crested grebe with chick on its back",
    "unknown / to be checked again by an expert before the end of the season",
    "紫寿带",
)
LONG_EXPRESSIONS = (
    "没有明显的表情，嘴唇闭合",
    "slightly open with the upper teeth visible",
    f"{MARKUP}微笑",
    "wide open (shouting, singing or yawning)",
)


def categories(images: Path | None, target: Path) -> None:
    """Fill `target/CATEGORY/` from the folders of `images`, or with drawn vehicles."""
    if images is None:
        _draw_vehicles(target)
        return
    folders = [folder for folder in sorted(images.iterdir()) if folder.is_dir()]
    for folder in folders[:CATEGORIES]:
        inside = target / folder.name
        inside.mkdir(parents=True)
        for image in _images_in(folder)[:EACH]:
            shutil.copy(image, inside)


def _draw_vehicles(target: Path) -> None:
    for body in range(CATEGORIES):
        inside = target / BODIES[body]
        inside.mkdir(parents=True)
        for number in range(EACH):
            view = VIEWS[number % len(VIEWS)]
            save_toy(inside / f"{view}-{number:02}.jpg", body, view, number, SIDE)


def faces(images: Path | None, target: Path) -> None:
    """Put a few images of faces into `target`, or drawn ones."""
    target.mkdir(parents=True)
    if images is not None:
        for image in _images_in(images)[:FACES]:
            shutil.copy(image, target)
        return
    for number in range(FACES):
        opening, smile = (number % 4) / 4, (number % 3) / 2
        pixels = draw_scene(opening=opening, smile=smile, seed=number)
        save_png(target / f"face-{number:02}.png", pixels)


def long_named(photos: Sequence[Path], target: Path) -> None:
    """Copy images under the longest names that people give their folders and files."""
    for number, image in enumerate(photos):
        label = LONG_LABELS[number % len(LONG_LABELS)].replace("/", "∕")
        inside = target / label
        inside.mkdir(parents=True, exist_ok=True)
        name = (
            f"IMG_20240518_{number:06}_红嘴蓝鹊_北京植物园_未经裁剪的原始照片"
            f" (final {IN_PATHS}copy {number:02}){image.suffix}"
        )
        shutil.copy(image, inside / name)


def damaged(image: Path, target: Path) -> None:
    """Files that an import must leave out: cut short, empty, and no image at all."""
    target.mkdir(parents=True)
    data = image.read_bytes()
    (target / f"truncated{image.suffix}").write_bytes(data[: len(data) // 3])
    (target / "empty.jpg").write_bytes(b"")
    (target / "notes renamed by mistake.png").write_text("These are notes.", encoding="utf-8")
    shutil.copy(image, target / f"sound{image.suffix}")


def all_images(folder: Path) -> list[Path]:
    """Every image below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if is_image(path))


def _images_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if is_image(path)]
