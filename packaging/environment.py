"""The environment in .venv: created from pinned versions, and again when they change."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
PYTHON = BIN / ("python.exe" if sys.platform == "win32" else "python")
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
STAMP = VENV / "bootstrap.json"

TORCH_CPU = "https://download.pytorch.org/whl/cpu"
TORCH_CUDA = "https://download.pytorch.org/whl/cu130"
WITHOUT_DEPENDENCIES = ("torchvision",)  # its dependencies would bring another torch


class Failed(Exception):
    """The set-up failed; the message says why."""


GIT_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)


def clean_environment() -> dict[str, str]:
    """The environment variables without those that could lead a child to another Python, or, in a
    hook of git, to the repository of the hook instead of its own."""
    foreign = {"PYTHONPATH", "PYTHONHOME", *GIT_VARIABLES}
    kept = {k: v for k, v in os.environ.items() if k not in foreign}
    return {**kept, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def prepare(extras: Iterable[str] = ()) -> None:
    """Install the program and `extras` of pyproject.toml in .venv, if they are not yet.

    Raises Failed.
    """
    started = time.monotonic()
    packages = machine.missing_packages()
    libraries_there = machine.install_packages(packages, "The window (Qt)")
    fingerprint = _fingerprint()
    have = _installed(fingerprint)
    if not have:
        _make_venv()
        _install_torch()
    wanted = {"", *extras} - have
    if wanted:
        _install_requirements(wanted)
        _link_program()
        _check_import(libraries_there, packages)
        STAMP.write_text(json.dumps({"fingerprint": fingerprint, "parts": sorted(have | wanted)}))
    print(f"Environment ready in {time.monotonic() - started:.0f} s: {VENV}", flush=True)


def _fingerprint() -> str:
    """A digest of everything that determines what is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    what = {
        "constraints": CONSTRAINTS.read_text(encoding="utf-8"),
        "dependencies": project["dependencies"],
        "extras": project["optional-dependencies"],
        "nvidia": machine.nvidia_driver(),
        "root": str(ROOT),
    }
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _installed(fingerprint: str) -> set[str]:
    """Parts that a set-up with this fingerprint installed: "" for the program, and extras."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
        return set(stamp["parts"]) if stamp["fingerprint"] == fingerprint and _runs() else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _runs() -> bool:
    try:
        return subprocess.run([PYTHON, "-c", "pass"], capture_output=True).returncode == 0
    except OSError:
        return False


def _make_venv() -> None:
    if PYTHON.exists() and _runs() and _has_pip():
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    print(f"Creating {VENV}", flush=True)
    command = [sys.executable, "-m", "venv", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if made.returncode and "ensurepip" in made.stdout + made.stderr:
        package = f"python3.{sys.version_info.minor}-venv"
        shutil.rmtree(VENV, ignore_errors=True)
        if machine.install_packages([package], "Python"):
            made = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if made.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{made.stdout}{made.stderr}")


def _has_pip() -> bool:
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0


def _pip(*arguments: str, may_fail: bool = False) -> bool:
    command = [str(PYTHON), "-m", "pip", "install", "--progress-bar", "off", "--quiet"]
    command += ["--use-pep517", "-c", str(CONSTRAINTS), *arguments]
    done = subprocess.run(command, env=clean_environment(), capture_output=may_fail)
    if done.returncode and not may_fail:
        raise Failed(f"pip could not install: {' '.join(arguments)}")
    return done.returncode == 0


def pinned(name: str) -> str:
    """The version of `name` in constraints.txt. Raises Failed if there is none."""
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        found, _, version = line.partition("==")
        if found.lower() == name.lower():
            return version
    raise Failed(f"{CONSTRAINTS} has no version of {name}.")


def torch_choices(platform: str, nvidia: bool, version: str) -> list[list[str]]:
    """Arguments of pip to try in turn.

    Without an NVIDIA driver none of them installs a CUDA build. On Linux the plain name would, so
    the CPU build is requested by name there.
    """
    plain, cpu = [f"torch=={version}"], [f"torch=={version}+cpu"]
    if platform == "win32" and nvidia:
        return [["--extra-index-url", TORCH_CUDA, f"torch=={version}+cu130"], plain]
    if platform.startswith("linux") and not nvidia:
        return [cpu, ["--extra-index-url", TORCH_CPU, *cpu]]
    return [plain]


def _install_torch() -> None:
    nvidia = machine.nvidia_driver()
    kind = "CUDA" if nvidia else "CPU"
    print(f"Installing torch ({kind}) and other packages; this takes a while.", flush=True)
    *first, last = torch_choices(sys.platform, nvidia, pinned("torch"))
    if not any(_pip(*choice, may_fail=True) for choice in first):
        _pip(*last)


def _install_requirements(extras: set[str]) -> None:
    """Install the dependencies of the program ("" in extras) and of the other extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements: list[str] = []
    for extra in sorted(extras):
        requirements += (
            project["optional-dependencies"][extra] if extra else project["dependencies"]
        )
    alone = [r for r in requirements if r.startswith(WITHOUT_DEPENDENCIES)]
    rest = [r for r in requirements if r not in alone and not r.startswith("torch>")]
    _pip(*rest)
    if alone:
        _pip("--no-deps", *alone)


def _link_program() -> None:
    """Make this source tree importable in .venv, and add the `workbench` command."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    link = Path(done.stdout.strip()) / "vantage_workbench.pth"
    link.write_text(f"{ROOT}\n", encoding="utf-8")
    if sys.platform == "win32":
        (BIN / "workbench.cmd").write_text(f'@"{PYTHON}" -m workbench %*\n', encoding="utf-8")
        return
    script = BIN / "workbench"
    script.write_text(f'#!/bin/sh\nexec "{PYTHON}" -m workbench "$@"\n', encoding="utf-8")
    script.chmod(0o755)


def _check_import(libraries_there: bool, packages: list[str]) -> None:
    command = [str(PYTHON), "-c", "import PySide6.QtWidgets, torch, cv2"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    if done.returncode:
        hint = "" if libraries_there else " ".join(["sudo", *machine.apt_command(packages)])
        last = done.stderr.strip().splitlines()[-1:]
        raise Failed(f"The environment does not work: {' '.join(last)}\n{hint}".rstrip())
