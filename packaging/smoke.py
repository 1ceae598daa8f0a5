"""Tests the built application: import, mouths, training, explanation, export and window."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from virtual_screen import VirtualScreen

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "dist" / "vantage-workbench"
PROGRAM = FOLDER / ("workbench.exe" if sys.platform == "win32" else "vantage-workbench")
TIMEOUT = 300.0  # seconds per command


class Failed(Exception):
    """A step failed; the message says what was observed."""


def main() -> int:
    """Run every step and print how long it took; return 1 if one failed."""
    if not PROGRAM.exists():
        print(f"{PROGRAM} is missing: build it first (packaging/bootstrap.py package).")
        return 1
    print(f"{FOLDER}: {_megabytes(FOLDER):.0f} MB", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        steps: list[tuple[str, Callable[[Path], str]]] = [
            ("project", make_project),
            ("mouth", crop_mouth),
            ("training", train),
            ("explanation", explain),
            ("export", export),
            ("window", open_window),
        ]
        for name, step in steps:
            started = time.monotonic()
            try:
                result = step(place)
            except (Failed, KeyError, ValueError, subprocess.TimeoutExpired) as error:
                print(f"FAILED  {name}: {error}")
                return 1
            print(f"passed  {name} ({time.monotonic() - started:.1f} s): {result}", flush=True)
    return 0


def _megabytes(folder: Path) -> float:
    files = (p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return sum(p.stat().st_size for p in files) / 1e6


def command(place: Path, *arguments: str) -> dict[str, object]:
    """Run one command of the built program; return its JSON object. Raises Failed."""
    done = subprocess.run(
        [str(PROGRAM), *arguments, "--json"],
        env=_environment(place),
        cwd=place,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise Failed(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stderr[-3000:]}")
    answer = json.loads(lines[-1])
    assert isinstance(answer, dict)
    return answer


def _environment(place: Path) -> dict[str, str]:
    """Environment variables without those of this Python, and with another home folder."""
    dropped = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "QT_QPA_PLATFORM")
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    kept["PATH"] = os.pathsep.join(
        p for p in os.environ.get("PATH", "").split(os.pathsep) if ".venv" not in p
    )
    return {
        **kept,
        "HOME": str(place),
        "XDG_CONFIG_HOME": str(place),
        "QT_QPA_PLATFORM": "offscreen",
    }


def make_project(place: Path) -> str:
    """Import toy vehicles, with categories and views from folder names."""
    from workbench.demo.toys import BODIES, VIEWS, save_toy

    for body in (0, 3):
        for view in VIEWS:
            folder = place / "toys" / BODIES[body] / view
            folder.mkdir(parents=True)
            for seed in range(6):
                save_toy(folder / f"{seed}.jpg", body, view, seed)
    command(place, "new", "Toys")
    answer = command(
        place, "import", "Toys", "toys", "--category-from", "folder", "--view-from", "folder"
    )
    if answer["added"] != 48:
        raise Failed(f"48 images were expected, but the import reports {answer}")
    return "48 images imported with categories and views"


def crop_mouth(place: Path) -> str:
    """Find mouths in photographs of faces if there are any, else in a drawn face."""
    folder = place / "faces"
    folder.mkdir()
    photographs = sorted((ROOT.parent / "shared" / "data" / "faces" / "images").glob("*.jpg"))[:2]
    for photograph in photographs:
        shutil.copy(photograph, folder)
    if not photographs:
        from workbench.demo.faces import draw_scene
        from workbench.vision.sheets import save_png

        save_png(folder / "drawn.png", draw_scene())
    command(place, "new", "Faces")
    command(place, "import", "Faces", "faces")
    answer = command(place, "crop", "Faces", "--out", str(place / "mouths"))
    if not answer["found"] or not list((place / "mouths").rglob("*.png")):
        raise Failed(f"No mouth was found: {answer}")
    return f"found: {answer['found']}, in {'photographs' if photographs else 'a drawn face'}"


def train(place: Path) -> str:
    """Train a small run; the executable is its own learning program."""
    keys = ("target=category", "backbone=simpleconv3", "epochs=3", "batch=16")
    settings = [part for key in keys for part in ("--set", key)]
    answer = command(place, "train", "Toys", *settings)
    if answer["status"] != "finished":
        raise Failed(f"The training reports {answer}")
    return f"finished, test top-1 {_top1(answer):.2f}"


def _top1(answer: dict[str, object]) -> float:
    parts = answer["parts"]
    assert isinstance(parts, dict)
    return float(parts["test"]["top1"])


def explain(place: Path) -> str:
    """Save the heatmap of one image."""
    command(place, "explain", "Toys", "latest", "toys/bus/front/0.jpg", "--out", "maps")
    maps = list((place / "maps").glob("*.png"))
    if not maps:
        raise Failed("No heatmap was written")
    return maps[0].name


def export(place: Path) -> str:
    """Export the network as ONNX; the program checks it with onnxruntime."""
    command(place, "export", "Toys", "latest", "toys.onnx")
    return f"{(place / 'toys.onnx').stat().st_size / 1e6:.1f} MB"


def open_window(place: Path) -> str:
    """Open the window on the project, on a virtual screen."""
    if not VirtualScreen.possible():
        return "skipped: no Xvfb on this machine"
    with VirtualScreen(1280, 800) as screen:
        environment = {**_environment(place), "DISPLAY": screen.name, "QT_QPA_PLATFORM": "xcb"}
        started = time.monotonic()
        child = subprocess.Popen([str(PROGRAM), str(place / "Toys.workbench")], env=environment)
        try:
            while screen.empty():
                if child.poll() is not None or time.monotonic() - started > 60:
                    raise Failed(f"No window after {time.monotonic() - started:.0f} s")
                time.sleep(0.02)
            seconds = time.monotonic() - started
            time.sleep(3)  # until the grid shows images
            screen.save(ROOT / "build" / "window.png")
            if child.poll() is not None:
                raise Failed(f"The window closed by itself with {child.returncode}")
        finally:
            child.terminate()
            child.wait(10)
    return f"visible after {seconds:.1f} s; see build/window.png"


if __name__ == "__main__":
    sys.exit(main())
