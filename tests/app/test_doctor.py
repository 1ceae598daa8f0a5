"""What the doctor reports about a computer that lacks something."""

from __future__ import annotations

import shutil
import sys

import pytest

from tests.fixtures.stored_images import found
from workbench.app import doctor
from workbench.app.device import processor


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bring these libraries")
def test_a_missing_library_is_named_with_the_package_that_brings_it(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)

    def load(name):
        if name == "libEGL.so.1":
            raise OSError(name)

    (finding,) = doctor.qt_libraries(load)
    assert (finding.name, finding.ok) == ("libEGL.so.1", False)
    assert "apt-get install libegl1" in finding.remedy
    (whole,) = doctor.qt_libraries(lambda name: None)
    assert whole.ok


def test_the_licence_of_the_landmark_file_is_reported():
    findings = {finding.name: finding for finding in doctor.examine_program()}
    assert "non-commercial" in findings["landmark file"].value
    assert findings["torch"].ok
    assert findings["device"].value


def test_a_missing_package_is_found(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("no-such-package",))
    missing = next(f for f in doctor.examine_program() if f.name == "no-such-package")
    assert not missing.ok
    assert "no-such-package" in missing.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="other systems bring these libraries")
def test_on_a_screen_of_x11_its_libraries_are_needed_too(monkeypatch):
    def none(name):
        raise OSError(name)

    monkeypatch.setenv("DISPLAY", ":0")
    found = {finding.name for finding in doctor.qt_libraries(none)}
    assert found == set(doctor.QT_LIBRARIES) | set(doctor.QT_X11_LIBRARIES)
    (whole,) = doctor.qt_libraries(lambda name: None)
    assert whole.value == f"all {len(found)} found"
    monkeypatch.delenv("DISPLAY")
    assert {finding.name for finding in doctor.qt_libraries(none)} == set(doctor.QT_LIBRARIES)


def findings_of(session):
    return {finding.name: finding for finding in doctor.examine_project(session)}


@pytest.fixture
def photos(session, tmp_path):
    """A source of three empty files in the project."""
    source = session.store.images.add_source(tmp_path / "photos")
    for i in range(3):
        path = tmp_path / "photos" / "a" / f"image {i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    session.store.images.add(source, [found(i) for i in range(3)])
    return tmp_path / "photos"


def test_files_of_a_source_that_are_missing_are_counted_and_one_named(session, photos):
    findings = findings_of(session)
    assert (findings["database"].value, findings["images"].value) == ("intact", "3")
    whole = findings[f"source {photos}"]
    assert (whole.ok, whole.value, whole.remedy) == (True, "3 files, none missing", "")
    (photos / "a" / "image 1.jpg").unlink()
    lost = findings_of(session)[f"source {photos}"]
    assert (lost.ok, lost.value) == (False, "1 of 3 files missing, such as a/image 1.jpg")
    assert "re-link" in lost.remedy


def test_a_run_folder_whose_run_is_not_in_the_list_is_reported(session, tmp_path):
    runs = session.runs_folder
    for name in ("r1", "r2.part", "none"):
        (runs / name).mkdir()
    for name in ("r1", "r2.part"):
        (runs / name / "recipe.toml").touch()
    reported = [one for one in findings_of(session).values() if not one.ok]
    (found,) = (one for one in reported if "run" in one.name)
    assert found.name == "run folder r1"
    command = f"workbench runs adopt {runs / 'r1'} --into {session.folder}"
    assert command in found.remedy


def test_a_source_that_is_a_list_has_its_files_beside_it(session, tmp_path):
    listed = tmp_path / "list.txt"
    listed.touch()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "image 1.jpg").touch()
    source = session.store.images.add_source(listed)
    session.store.images.add(source, [found(1)])
    assert findings_of(session)[f"source {listed}"].value == "1 file, none missing"


@pytest.mark.parametrize(
    ("free", "ok", "shown"),
    [
        (2 * 1024**3, True, "2.0 GiB"),
        (2 * 1024**3 - 1, False, "2.0 GiB"),
        (1 << 40, True, "1024.0 GiB"),
    ],
)
def test_less_than_two_gibibytes_of_disk_are_a_problem(session, monkeypatch, free, ok, shown):
    usage = shutil.disk_usage(session.store.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=free))
    finding = findings_of(session)["free disk space"]
    assert (finding.ok, finding.value) == (ok, shown)
    assert "Free up disk space" in finding.remedy


def test_the_device_is_the_accelerator_if_its_driver_answers(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA T4, 15360 MiB'\n")
    tool.chmod(0o755)

    def device():
        return next(f.value for f in doctor.examine_program() if f.name == "device")

    monkeypatch.setattr(doctor.shutil, "which", lambda name: str(tool))
    assert device() == "NVIDIA T4, 15 GiB"
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert device() == processor()
    tool.chmod(0o644)
    assert device() == processor()
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    assert device() == processor()
