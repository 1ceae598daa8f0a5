"""What the doctor reports about a computer that lacks something."""

from __future__ import annotations

import sys

import pytest

from workbench.app import doctor


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
