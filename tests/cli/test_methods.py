"""The command `methods`: what people see of each method, head and penalty."""

from __future__ import annotations

import json

import pytest

from workbench.app.training.choices import specs
from workbench.cli.command import run
from workbench.domain.methods import need_text


@pytest.fixture
def lines(capsys) -> list[str]:
    assert run(["methods"]) == 0
    return capsys.readouterr().out.splitlines()


def test_each_is_listed_under_its_kind_with_all_that_is_known_of_it(lines: list[str]) -> None:
    titles = {"method": "Methods:", "head": "Heads:", "penalty": "Penalties:"}
    ends = sorted([*(lines.index(title) for title in titles.values()), len(lines)])
    for spec in specs():
        start = lines.index(titles[spec.kind])
        part = lines[start : ends[ends.index(start) + 1]]
        at = part.index(f"  {spec.name}: {spec.description}")
        own = part[at + 1 : at + 2 + len(spec.parameters) + bool(spec.needs)]
        assert own[-1] == f"      {spec.source}"
        for parameter, line in zip(spec.parameters, own, strict=False):
            assert line.startswith(f"      options.{spec.name}.{parameter.name} = ")
            assert line.endswith(f"({parameter.description}; {parameter.allowed()})")
        if spec.needs:
            assert own[-2] == f"      needs {', '.join(map(need_text, spec.needs))}"


def test_the_object_has_every_parameter_in_order(capsys) -> None:
    assert run(["methods", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["methods"]
    assert [one["name"] for one in found] == [spec.name for spec in specs()]
    for one, spec in zip(found, specs(), strict=True):
        assert one["needs"] == list(spec.needs)
        assert [each["name"] for each in one["parameters"]] == [
            each.name for each in spec.parameters
        ]
        assert [each["words"] for each in one["parameters"]] == [
            each.description for each in spec.parameters
        ]
