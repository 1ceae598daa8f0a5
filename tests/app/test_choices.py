"""What a recipe can name is known in this process, which never loads it."""

import subprocess
import sys

import pytest

from workbench.app import learner
from workbench.app.training import choices
from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.methods import Parameter, Spec
from workbench.domain.recipes import complete, parse_toml, to_toml, with_setting


def recipe(**keys):
    return complete({"target": "category", "start": "none", **keys}, {})


def test_a_recipe_is_checked_against_the_learning_programs_specs():
    choices.check_choices(recipe())
    good = {"l2-sp": {"alpha": 0.5}, "bilinear": {}}
    choices.check_choices(recipe(head="bilinear", penalty="l2-sp+bss", options=good))
    with pytest.raises(ValueRefused, match="fine-tune"):
        choices.check_choices(recipe(method="magic"))
    with pytest.raises(ValueRefused, match="several"):
        choices.check_choices(recipe(penalty="l2+magic"))
    with pytest.raises(ValueRefused, match=r"options\.l2\.beta"):
        choices.check_choices(recipe(penalty="l2", options={"l2": {"beta": 1.0}}))
    with pytest.raises(ValueRefused, match=r"options\.delta"):
        choices.check_choices(recipe(penalty="l2", options={"delta": {}}))
    with pytest.raises(ValueRefused, match="only with the head “parts”"):
        choices.check_choices(recipe(penalty="l2+channel-grouping"))
    choices.check_choices(recipe(penalty="l2+channel-grouping", head="parts"))


def test_advised_heads_are_known_without_the_learning_program(monkeypatch):
    monkeypatch.setattr(choices, "_known", [])
    monkeypatch.setattr(learner, "learning_command", lambda: ["/no/such/program"])
    choices.check_choices(recipe())
    choices.check_choices(recipe(head="compact-bilinear"))
    for other in ("fusion", ""):
        with pytest.raises(KnownError, match="no such file"):
            choices.check_choices(recipe(head=other))


def test_asking_leaves_torch_where_it_was():
    code = (
        "import sys; from workbench.app.training.choices import specs; assert len(specs()) > 8; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_that_cannot_be_queried_is_reported(monkeypatch):
    monkeypatch.setattr(choices, "_known", [])
    monkeypatch.setattr(learner, "learning_command", lambda: [sys.executable, "-c", "1/0 #"])
    with pytest.raises(KnownError, match="ZeroDivisionError"):
        choices.specs()
    monkeypatch.setattr(learner, "learning_command", lambda: ["/no/such/program"])
    with pytest.raises(KnownError, match="no such file"):
        choices.specs()


def test_parameters_know_their_bounds_and_types():
    number = Parameter(name="k", default=1, low=1, high=4, description="how many")
    assert number.check("s", 3) == 3
    for wrong in (0, 5, 1.5, True, "2"):
        with pytest.raises(ValueRefused, match="a whole number ≥ 1 and ≤ 4"):
            number.check("s", wrong)
    share = Parameter(name="p", default=0.5, description="share")
    assert share.check("s", 1) == 1.0
    word = Parameter(name="w", default="a", choices=("a", "b"), description="which")
    with pytest.raises(ValueRefused, match="a, b"):
        word.check("s", "c")
    spec = Spec(
        name="s",
        kind="method",
        title="S",
        description="Does.",
        source="2020",
        parameters=(number, word),
    )
    assert spec.options({"s": {"k": 2}}) == {"k": 2, "w": "a"}
    with pytest.raises(ValueRefused, match=r"options\.s\.z"):
        spec.options({"s": {"z": 2}})


def test_dotted_settings_gather_in_the_options():
    given = {"options": {"bss": {"k": 1}}}
    partial = given
    for setting in ("epochs=3", "options.l2-sp.alpha=0.1", "l2-sp.beta=2", "bss.k=2"):
        partial = with_setting(partial, setting)
    assert partial == {
        "epochs": 3,
        "options": {"bss": {"k": 2}, "l2-sp": {"alpha": 0.1, "beta": 2}},
    }
    with pytest.raises(ValueRefused):
        with_setting(partial, "a.b.c.d=1")
    assert given == {"options": {"bss": {"k": 1}}}, "what was given stays as it is"
    whole = recipe(options=partial["options"], penalty="l2-sp")
    assert parse_toml(to_toml(whole), "t")["options"] == partial["options"]
