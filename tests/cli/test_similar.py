"""`workbench similar` on drawn images: in the project, from outside, recognised by neighbours."""

import json
import shutil

import pytest
import torch

from tests.fixtures.run_folders import draw
from tests.fixtures.training_projects import small_project
from workbench.cli.command import run
from workbench.learning.networks.backbones import build_body


@pytest.fixture
def project(tmp_path, qapp, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    small_project(tmp_path, count=18).close()
    torch.manual_seed(0)
    torch.save(build_body("simpleconv3")[0].state_dict(), tmp_path / "weights.pth")
    return "Small"


def answer(capsys, *words):
    code = run([*words, "--json"])
    return code, json.loads(capsys.readouterr().out.splitlines()[-1])


def test_similar_images_and_labels_are_found_without_training(project, tmp_path, capsys):
    start = ["--start", "simpleconv3=weights.pth"]
    code, found = answer(capsys, "similar", project, "003.png", "-k", "5", *start)
    assert code == 0
    assert (found["images"], found["computed"], found["left_out"]) == (18, 18, 0)
    assert found["index_bytes"] == 18 * (2 * 128 + 8)
    assert len(found["similar"]) == 5
    scores = [one["similarity"] for one in found["similar"]]
    assert scores == sorted(scores, reverse=True)
    assert not any(one["path"].endswith("003.png") for one in found["similar"])
    capsys.readouterr()
    assert run(["similar", project, "003.png", "-k", "5", *start]) == 0
    first, head, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith("features of ")
    assert "computed for 0 images" in first
    assert head.split() == ["similarity", "image"]
    assert [row.split(maxsplit=1) for row in rows] == [
        [f"{one['similarity']:.4f}", one["path"]] for one in found["similar"]
    ]

    shutil.copy(tmp_path / "pictures" / "003.png", "copy.png")  # the same bytes elsewhere
    _, same = answer(capsys, "similar", project, "copy.png", "-k", "5", *start)
    assert same == {**found, "computed": 0}
    draw(1, 99).save("stranger.png")
    _, other = answer(capsys, "similar", project, "stranger.png", *start)
    assert (other["computed"], len(other["similar"])) == (1, 18)

    words = ["--classify", "category", "-k", "3", *start]
    _, output = answer(capsys, "similar", project, "stranger.png", "copy.png", *words)
    assert (output["labelled"], output["judged"]) == (18, 18)
    assert 0 <= output["accuracy"] <= 1
    assert {one["label"] for one in output["labels"]} == {"disc", "bar", "cross"}
    paths = [one["path"] for one in output["found"]]
    assert [path.rsplit("/", 1)[-1] for path in paths] == ["003.png", "stranger.png"]
    assert run(["similar", project, "stranger.png", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "3 neighbours of 18 labelled images" in lines[0]
    assert "leaving one out" in lines[0]
    assert [line.split() for line in lines[1:3]] == [[], ["label", "images", "right"]]
    assert len(lines) == 3 + 3 + 3
    assert [line.split() for line in lines[6:8]] == [[], ["label", "votes", "image"]]
    assert lines[8].endswith("stranger.png")
    _, forgotten = answer(capsys, "similar", project, "--forget")
    assert forgotten["freed_bytes"] >= other["index_bytes"]
    assert answer(capsys, "similar", project, "--forget")[1] == {"freed_bytes": 0}
    assert run(["similar", project, "--forget"]) == 0
    assert capsys.readouterr().out.startswith("features deleted: 0.0 MB; ")


def test_wrong_requests_are_reported(project, capsys):
    start = ["--start", "simpleconv3=weights.pth"]
    assert answer(capsys, "similar", project)[0] == 2
    assert answer(capsys, "similar", project, "003.png", *start, "--run", "latest")[0] == 2
    code, output = answer(capsys, "similar", project, "003.png")
    assert (code, "no network for comparing" in output["error"]) == (1, True)
    code, output = answer(capsys, "similar", project, "none such", *start)
    assert (code, "none such" in output["error"]) == (1, True)
    code, output = answer(capsys, "similar", project, "003.png", "--start", "vgg11=weights.pth")
    assert (code, "does not fit" in output["error"]) == (1, True)
    code, output = answer(capsys, "similar", project, "--classify", "view", *start)
    assert (code, "Fewer than two labels" in output["error"]) == (1, True)
    assert answer(capsys, "similar", project, "--classify", "mood", *start)[0] == 2
    with open("text.png", "w") as file:
        file.write("no image")
    code, output = answer(capsys, "similar", project, "text.png", *start)
    assert (code, "not a readable image" in output["error"]) == (1, True)
