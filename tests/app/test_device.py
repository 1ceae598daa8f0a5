"""The device in plain words."""

import pytest

from workbench.app import device
from workbench.app.device import DeviceProbe, describe, processor


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("NVIDIA H200, 143771 MiB\n", "NVIDIA H200, 140 GiB"),
        ("NVIDIA A100, 81920 MiB\nNVIDIA A100, 81920 MiB\n", "2 × NVIDIA A100, 80 GiB"),
        ("NVIDIA-SMI has failed because it couldn't communicate with the driver", ""),
        ("", ""),
        ("one, two, 2560 MiB\nNVIDIA T4, [N/A]\n", "one, two, 2 GiB"),
    ],
)
def test_the_drivers_answer_becomes_text(answer, words):
    assert describe(answer) == words


def test_the_processor_is_reported_at_once_and_the_driver_when_it_answers(
    qtbot, monkeypatch, tmp_path
):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA T4, 15360 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(device.shutil, "which", lambda name: str(tool))
    probe = DeviceProbe()
    messages = []
    probe.found.connect(messages.append)
    probe.start()
    assert messages == [processor()]
    qtbot.waitUntil(lambda: len(messages) == 2)
    assert messages[1] == "NVIDIA T4, 15 GiB"
    probe.close()


def test_a_driver_that_never_answers_does_not_hold_up_the_end(qtbot, monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexec sleep 60\n")
    tool.chmod(0o755)
    monkeypatch.setattr(device.shutil, "which", lambda name: str(tool))
    probe = DeviceProbe()
    probe.start()
    probe.close()


@pytest.mark.parametrize(
    ("system", "machine", "found"),
    [("darwin", "arm64", True), ("darwin", "x86_64", False), ("linux", "arm64", False)],
)
def test_a_mac_with_its_own_processor_has_a_gpu(qapp, monkeypatch, system, machine, found):
    monkeypatch.setattr(device.platform, "machine", lambda: machine)
    monkeypatch.setattr(device.shutil, "which", lambda name: None)
    names = []
    probe = DeviceProbe()
    probe.found.connect(names.append)
    with monkeypatch.context() as patch:
        patch.setattr(device.sys, "platform", system)
        probe.start()
    assert names == [f"Apple GPU, {processor()}" if found else processor()]
    probe.close()
