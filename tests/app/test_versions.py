"""Jobs on versions, and the versions that runs see."""

from __future__ import annotations

import csv
import errno
import json

import pytest

from tests.fixtures.stored_images import fill
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.jobs import Done, Failed, run_here
from workbench.app.labels.labelling import assign
from workbench.app.results.run_columns import run_object
from workbench.app.training.preparing import prepare, prepare_task
from workbench.app.training.splitting import split
from workbench.app.versions import compare_task, create_task, go_back_task, save_changes
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.labels import Label, LabelSet
from workbench.domain.splits import SplitPlan
from workbench.domain.versions import ChangedThing, Difference, VersionChange


@pytest.fixture
def small(tmp_path, qapp):
    made = small_project(tmp_path)
    yield made
    made.close()


def names(session):
    return [version.name for version in session.versions.all()]


def test_going_back_is_announced_as_one_edit(session, tmp_path):
    ids = fill(session.store, 3)
    assign(session, ids[:1], "view", "front")
    assert isinstance(run_here(create_task(session, "good", "note")), Done)
    assign(session, ids[1:], "view", "back")
    seen = []
    session.changed.connect(seen.append)
    assert isinstance(run_here(go_back_task(session, "good")), Done)
    assert [changes.labelled for changes in seen] == [frozenset(ids[1:])]
    assert session.undo() == "Go back to version “good”"
    found = run_here(compare_task(session, "good")).value
    path = tmp_path / "changes.csv"
    assert save_changes(found, path) == []
    assert path.read_text(encoding="utf-8").splitlines()[1:] == [
        f"label,added,a/image {number}.jpg,view,,back,human,hash{number}" for number in (1, 2)
    ]


def test_saved_differences_run_no_formula_in_a_spreadsheet(session, tmp_path):
    ids = fill(session.store, 1)
    run_here(create_task(session, "good"))
    session.store.labels.save_set(LabelSet("view", (Label("=1+1"),)))
    assign(session, ids, "view", "=1+1")
    path = tmp_path / "changes.csv"
    (note,) = save_changes(run_here(compare_task(session, "good")).value, path)
    assert "begin as formulas do" in str(note)
    with path.open(encoding="utf-8", newline="") as file:
        assert "'=1+1" in {row["after"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("ending", ["csv", "tsv", "xlsx"])
def test_a_file_of_differences_is_replaced_when_it_is_complete(session, tmp_path, ending):
    path = tmp_path / f"changes.{ending}"
    save_changes([], path)
    before = path.read_bytes()

    def failing():
        yield from [VersionChange(ChangedThing.LABEL, Difference.ADDED)] * 2000
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(KnownError, match="cannot be written"):
        save_changes(failing(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.glob("changes*")) == [path]


def test_a_name_is_refused_before_the_job_and_when_it_is_stored(session):
    fill(session.store, 1)
    first, second = create_task(session, "same"), create_task(session, "same")
    assert isinstance(run_here(first), Done)
    assert isinstance(run_here(second), Failed)
    for name in ("same", ""):
        with pytest.raises(ValueRefused):
            create_task(session, name)
    assert names(session) == ["same"]


def test_a_run_names_the_version_it_saw_and_shares_it_until_an_edit(small):
    ids = small.images.ids().tolist()
    split(small, SplitPlan(), ["category"])
    first, second = prepare(small, FAST), prepare(small, FAST)
    assert (first.version, second.version) == ("run 1", "run 1")
    assert names(small) == ["run 1"]
    assert small.versions.get("run 1").automatic
    assign(small, ids[:1], "category", "bar")
    third = prepare(small, FAST)
    assert third.version == "run 3"
    run_here(create_task(small, "by hand"))
    assert small.runs.get(prepare(small, FAST).id).version == "by hand"
    assert run_object(small.runs.get(third.id))["version"] == "run 3"
    (change,) = run_here(compare_task(small, first.version, third.version)).value
    assert (change.before, change.after) == ("disc", "bar")


def test_the_version_of_a_run_has_the_split_that_was_drawn_for_it(small):
    assert small.splits.current() is None
    done = run_here(prepare_task(small, FAST))
    assert isinstance(done, Done)
    (run,) = small.runs.all()
    assert run.version == "run 1"
    assert small.splits.current() is not None
    assert run_here(compare_task(small, "run 1")).value == []
    assert prepare(small, FAST).version == "run 1"
    assert names(small) == ["run 1"]


def test_a_version_holds_what_the_run_learned(small):
    split(small, SplitPlan(), ["category"])
    run = prepare(small, FAST)
    assign(small, small.images.ids().tolist(), "category", "bar")
    content = small.store.versions.content(run.version)
    lines = (small.runs_folder / run.id / "samples.jsonl").read_text().splitlines()
    for sample in map(json.loads, lines):
        (label,) = json.loads(content.states[sample["hash"]])[0]
        assert label[1] == run.labels.target.labels[sample["target"]]
        assert ["train", "validation", "test"][content.parts[sample["hash"]]] == sample["part"]
