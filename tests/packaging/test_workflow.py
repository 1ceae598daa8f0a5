"""The workflow is one that GitHub takes, and runs every check on every system and Python."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
CHECK = ROOT / ".github" / "workflows" / "check.yml"
# The keys that GitHub knows, from its documentation of the workflow syntax.
WORKFLOW = {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
JOB = {
    "name",
    "permissions",
    "needs",
    "if",
    "runs-on",
    "snapshot",
    "environment",
    "concurrency",
    "outputs",
    "env",
    "defaults",
    "steps",
    "timeout-minutes",
    "strategy",
    "continue-on-error",
    "container",
    "services",
    "uses",
    "with",
    "secrets",
}
STEP = {
    "id",
    "if",
    "name",
    "uses",
    "run",
    "working-directory",
    "shell",
    "with",
    "env",
    "continue-on-error",
    "timeout-minutes",
}
STRATEGY = {"matrix", "fail-fast", "max-parallel"}
CONTEXTS = {
    "github",
    "env",
    "vars",
    "job",
    "jobs",
    "steps",
    "runner",
    "secrets",
    "strategy",
    "matrix",
    "needs",
    "inputs",
}
FUNCTIONS = {
    "contains",
    "startsWith",
    "endsWith",
    "format",
    "join",
    "toJSON",
    "fromJSON",
    "hashFiles",
}
STATES = {"success", "always", "cancelled", "failure"}
ACTION = re.compile(r"[\w.-]+/[\w./-]+@[\w./-]+|\./[\w./-]+")


class Strict(yaml.SafeLoader):
    """Refuses a key that is given twice, and takes "on" for the word that it is."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"{key} is given twice")
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}


def problems(text):
    """What GitHub would not take."""
    try:
        workflow = yaml.load(text, Loader=Strict)
    except yaml.YAMLError as error:
        return [str(error)]
    found = [f"unknown key {key}" for key in workflow.keys() - WORKFLOW]
    found += [f"no {key}" for key in ("on", "jobs") if not workflow.get(key)]
    found += _of_expressions({**workflow, "jobs": {}}, {})
    for name, job in (workflow.get("jobs") or {}).items():
        found += [f"{name}: {what}" for what in _of_job(job)]
    return found


def _of_job(job):
    yield from (f"unknown key {key}" for key in job.keys() - JOB)
    yield from (f"unknown key {key}" for key in job.get("strategy", {}).keys() - STRATEGY)
    matrix = job.get("strategy", {}).get("matrix", {})
    for name, values in matrix.items():
        if not isinstance(values, list) or not values:
            yield f"{name} is no list"
        elif not all(isinstance(value, str) for value in values):
            yield f"{name} has numbers, and 3.10 would be 3.1"
    if "runs-on" not in job:
        yield "no runs-on"
    if not job.get("steps"):
        yield "no steps"
    for step in job.get("steps") or []:
        yield from _of_step(step)
    yield from _of_expressions(job, matrix)


def _of_step(step):
    yield from (f"unknown key {key}" for key in step.keys() - STEP)
    if ("run" in step) == ("uses" in step):
        yield "a step needs either run or uses"
    if "uses" in step and not ACTION.fullmatch(step["uses"]):
        yield f"{step['uses']} is no action with its version"


def _of_expressions(part, matrix):
    for inside in re.findall(r"\$\{\{(.*?)\}\}", str(part)):
        yield from _of_expression(inside, matrix)


def _of_expression(text, matrix):
    plain = re.sub(r"'[^']*'", "", text)
    for word in re.findall(r"(?<![\w.-])[A-Za-z_][\w-]*(?:\.[\w*-]+)*", plain):
        first, _, rest = word.partition(".")
        if first not in CONTEXTS | FUNCTIONS | STATES | {"true", "false", "null"}:
            yield f"{first} is unknown in ${{{{{text}}}}}"
        if first == "matrix" and rest.split(".")[0] not in matrix:
            yield f"{word} is not in the matrix"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_github_takes_the_workflow(file):
    assert problems(file.read_text(encoding="utf-8")) == []


def test_every_check_runs_on_every_system_and_python():
    workflow = yaml.load(CHECK.read_text(encoding="utf-8"), Loader=Strict)
    assert {"push", "pull_request"} <= workflow["on"].keys()
    (job,) = workflow["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "windows", "macos"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    assert job["runs-on"] == "${{ matrix.os }}"
    (python,) = [step for step in job["steps"] if "setup-python" in step.get("uses", "")]
    assert python["with"]["python-version"] == "${{ matrix.python }}"
    assert (ROOT / python["with"]["cache-dependency-path"]).exists()
    libraries, checks = [step for step in job["steps"] if "run" in step]
    assert libraries["if"] == "runner.os == 'Linux'"
    assert "$(python packaging/machine.py)" in libraries["run"]
    assert checks["run"] == "python packaging/bootstrap.py test"
    always = [job, *(step for step in job["steps"] if step is not libraries)]
    assert not any("if" in step or "continue-on-error" in step for step in always)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("runs-on:", "run-on:", "no runs-on"),
        ("steps:", "step:", "no steps"),
        ("strategy:", "stategy:", "unknown key stategy"),
        ("fail-fast:", "failfast:", "unknown key failfast"),
        ("run: python", "runs: python", "either run or uses"),
        ("checkout@v4", "checkout", "no action"),
        ("matrix.python", "matrix.pyton", "matrix.pyton is not in the matrix"),
        ("github.ref", "githup.ref", "githup is unknown"),
        ('"3.11"', "3.11", "has numbers"),
        ("on:", "on: push\non:", "on is given twice"),
        ("jobs:", "jobs: [", "expected"),
    ],
)
def test_a_broken_workflow_is_seen(old, new, problem):
    text = CHECK.read_text(encoding="utf-8")
    assert old in text
    assert any(problem in found for found in problems(text.replace(old, new, 1)))
