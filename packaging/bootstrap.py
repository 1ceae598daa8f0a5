"""Set up the development environment with Python alone, and run the commands of USAGE."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036 - before any syntax that an older Python cannot read
    for minor in (11, 12, 13, 14):
        newer = shutil.which(f"python3.{minor}")
        if newer:
            os.execv(newer, [newer, *sys.argv])
    sys.exit(f"Vantage Workbench needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

import checks
import environment
import machine
from environment import BIN, PYTHON, ROOT, Failed

USAGE = """usage: python3 packaging/bootstrap.py COMMAND [ARGUMENTS]

  install                  create the environment in .venv
  test [PYTEST …]          run every check: ruff, mypy, import contracts, dead code, tests
  test --fast              the same with the tests nearest to the changes only, in about a minute
  demo [DIR]               run the demo on toy vehicles and open the window on its result
  package                  build the application into dist/ and test it
  manual                   write the manual's reference pages into resources/manual/
  translations [LOCALE …]  update resources/translations/workbench_LOCALE.ts, and compile it
  gallery [DIR]            save images of every page and dialog of the window (--help: options)"""


def install(_arguments: Sequence[str]) -> int:
    """Create the environment."""
    environment.prepare()
    print(f"Start with: {BIN / 'workbench'}")
    return 0


def test(arguments: Sequence[str]) -> int:
    """Run every check, or with --fast those that take a minute."""
    environment.prepare(["test"])
    return checks.run(arguments)


def _tool(command: Sequence[str]) -> list[str]:
    return [str(BIN / command[0]), *command[1:]]


def demo(arguments: Sequence[str]) -> int:
    """Run the demo on toy vehicles; open the window on its result if there is a screen."""
    environment.prepare()
    given = list(arguments)
    if not any(not argument.startswith("-") for argument in given):
        given.append(str(_free(ROOT / "build" / "demo")))
    command = [str(PYTHON), "-m", "workbench", "demo", *given]
    return subprocess.run(command, env=environment.clean_environment()).returncode


def _free(folder: Path) -> Path:
    """`folder`, or `folder-2`, `folder-3`, … if it exists."""
    endings = (f"-{n}" if n > 1 else "" for n in itertools.count(1))
    return next(p for end in endings if not (p := folder.with_name(folder.name + end)).exists())


def manual(arguments: Sequence[str]) -> int:
    """Write the reference pages of the manual from the program."""
    environment.prepare()
    command = [str(PYTHON), str(ROOT / "packaging" / "write_manual.py"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment.clean_environment()).returncode


def translations(locales: Sequence[str]) -> int:
    """Collect the texts of the program for translators, and compile their translations."""
    environment.prepare()
    command = [str(PYTHON), str(ROOT / "packaging" / "translations.py"), *locales]
    return subprocess.run(command, cwd=ROOT).returncode


def package(_arguments: Sequence[str]) -> int:
    """Build the one-folder application into dist/ and test it on a virtual screen."""
    environment.prepare(["package"])
    translations([])
    started = time.monotonic()
    build = ["pyinstaller", "--noconfirm", "--log-level", "WARN"]
    build += ["--distpath", str(ROOT / "dist"), "--workpath", str(ROOT / "build")]
    build.append(str(ROOT / "packaging" / "workbench.spec"))
    code = subprocess.run(_tool(build), cwd=ROOT, env=environment.clean_environment()).returncode
    if code:
        return code
    print(f"Built in {time.monotonic() - started:.0f} s.", flush=True)
    _write_desktop_file()
    if sys.platform.startswith("linux"):
        machine.install_packages([] if shutil.which("Xvfb") else ["xvfb"], "The test")
    smoke = [str(PYTHON), str(ROOT / "packaging" / "smoke.py")]
    return subprocess.run(smoke, cwd=ROOT, env=environment.clean_environment()).returncode


def _write_desktop_file() -> None:
    """Write a desktop entry that starts this build, on Linux only."""
    if not sys.platform.startswith("linux"):
        return
    name = "vantage-workbench"
    template = (ROOT / "packaging" / f"{name}.desktop").read_text(encoding="utf-8")
    entry = ROOT / "dist" / f"{name}.desktop"
    entry.write_text(template.replace("@FOLDER@", str(ROOT / "dist" / name)), encoding="utf-8")
    entry.chmod(0o755)
    print(f"Desktop entry: {entry} (copy it to ~/.local/share/applications)")


def gallery(arguments: Sequence[str]) -> int:
    """Save images of every page and dialog of the window, and an HTML page that shows them."""
    environment.prepare()
    child = {**environment.clean_environment(), "PYTHONPATH": str(ROOT)}
    return subprocess.run([str(PYTHON), "-m", "tests.gallery", *arguments], env=child).returncode


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "install": install,
    "test": test,
    "demo": demo,
    "package": package,
    "manual": manual,
    "translations": translations,
    "gallery": gallery,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; return the exit code."""
    if not arguments or arguments[0] not in COMMANDS:
        print(USAGE)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        return COMMANDS[arguments[0]](arguments[1:])
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
