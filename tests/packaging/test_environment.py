"""The set-up decides rightly what to install, where, and when there is nothing to do."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import bootstrap
import checks
import environment
import machine
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_without_a_driver_no_choice_of_torch_can_bring_cuda(platform):
    for arguments in environment.torch_choices(platform, nvidia=False, version="2.13.0"):
        text = " ".join(arguments)
        assert "cu1" not in text
        if platform == "linux":  # there the plain name is a CUDA build
            assert "torch==2.13.0+cpu" in arguments


def test_the_machines_own_index_is_tried_before_the_official_one():
    first, second = environment.torch_choices("linux", nvidia=False, version="2.13.0")
    assert first == ["torch==2.13.0+cpu"]
    assert "https://download.pytorch.org/whl/cpu" in second


def test_torch_with_cuda_is_installed_if_there_is_a_driver():
    assert environment.torch_choices("linux", True, "2.13.0") == [["torch==2.13.0"]]
    assert "+cu" in environment.torch_choices("win32", True, "2.13.0")[0][-1]


def _name(requirement: str) -> str:
    return re.split(r"[<>=]", requirement)[0].lower().replace("-", "_")


def test_every_dependency_has_one_pinned_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    lines = environment.CONSTRAINTS.read_text().splitlines()
    pins = [_name(line) for line in lines if line and not line.startswith("#")]
    assert len(pins) == len(set(pins))
    assert {_name(wanted) for group in groups for wanted in group} <= set(pins)
    assert "+" not in "".join(line for line in lines if not line.startswith("#"))


def test_a_library_that_is_missing_is_named_by_its_package():
    wanted = {"libc.so.6": "libc6", "libnowhere.so.9": "libnowhere9"}
    missing = machine.missing_packages(wanted)
    assert missing == (["libnowhere9"] if sys.platform.startswith("linux") else [])


def test_without_permission_the_exact_command_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(machine, "can_install", lambda: False)
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert not machine.install_packages(["libegl1", "libgl1"], "the window (Qt)")
    output = capsys.readouterr().out
    assert "sudo apt-get install -y --no-install-recommends libegl1 libgl1" in output


def test_nothing_missing_is_no_work(monkeypatch):
    monkeypatch.setattr(machine.subprocess, "run", None)
    assert machine.install_packages([], "the window (Qt)")


class Recorder:
    """Stands in for what the set-up would do, and remembers it."""

    def __init__(self, monkeypatch, tmp_path):
        self.done = []
        monkeypatch.setattr(environment, "STAMP", tmp_path / "bootstrap.json")
        monkeypatch.setattr(environment, "_runs", lambda: True)
        monkeypatch.setattr(machine, "missing_packages", lambda: [])
        for step in ("_make_venv", "_install_torch", "_link_program"):
            monkeypatch.setattr(environment, step, lambda step=step: self.done.append(step))
        monkeypatch.setattr(environment, "_check_import", lambda *_: None)
        monkeypatch.setattr(environment, "_install_requirements", self.done.append)


def test_a_second_set_up_does_nothing_and_an_extra_adds_only_itself(monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch, tmp_path)
    environment.prepare()
    assert recorder.done == ["_make_venv", "_install_torch", {""}, "_link_program"]
    recorder.done.clear()
    environment.prepare()
    assert recorder.done == []
    environment.prepare(["test"])
    assert recorder.done == [{"test"}, "_link_program"]
    recorder.done.clear()
    environment.prepare(["test"])
    environment.prepare()
    assert recorder.done == []
    assert json.loads(environment.STAMP.read_text())["parts"] == ["", "test"]


@pytest.mark.parametrize("stamp", ["", "[]", '{"parts": 3}', '{"fingerprint": "other"}'])
def test_a_stamp_of_something_else_is_no_stamp(monkeypatch, tmp_path, stamp):
    recorder = Recorder(monkeypatch, tmp_path)
    environment.STAMP.write_text(stamp)
    environment.prepare()
    assert "_install_torch" in recorder.done


def test_other_versions_mean_another_set_up(monkeypatch, tmp_path):
    recorder = Recorder(monkeypatch, tmp_path)
    environment.prepare()
    recorder.done.clear()
    other = tmp_path / "constraints.txt"
    other.write_text(environment.CONSTRAINTS.read_text() + "six==1.17.0\n")
    monkeypatch.setattr(environment, "CONSTRAINTS", other)
    environment.prepare()
    assert "_install_torch" in recorder.done


def test_a_child_python_is_not_led_astray(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_USER", "1")
    child = environment.clean_environment()
    assert "PYTHONPATH" not in child
    assert child["PIP_USER"] == "0"


@pytest.mark.parametrize("variable", ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"])
def test_checks_in_a_hook_leave_the_repository_of_the_hook_alone(monkeypatch, variable):
    monkeypatch.setenv(variable, "/somewhere/.git")
    assert variable not in environment.clean_environment()


def test_tests_run_without_a_screen_and_in_a_home_of_their_own(tmp_path):
    child = checks._variables(str(tmp_path))
    assert child["QT_QPA_PLATFORM"] == "offscreen"
    for key in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        assert child[key].startswith(str(tmp_path))


def test_each_demo_finds_a_folder_of_its_own(tmp_path):
    assert bootstrap._free(tmp_path / "demo") == tmp_path / "demo"
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo-2").mkdir()
    assert bootstrap._free(tmp_path / "demo") == tmp_path / "demo-3"


def test_a_wrong_command_prints_how_to_use_it():
    script = ROOT / "packaging" / "bootstrap.py"
    done = subprocess.run([sys.executable, script, "nonsense"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "install" in done.stdout


def test_the_scripts_import_nothing_but_the_standard_library():
    code = "import sys; sys.path.insert(0, 'packaging'); import bootstrap, environment, machine"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr
