"""The split that is drawn where there is none is the same wherever it is used or named."""

import pytest

from tests.fixtures.page_host import PageHost
from tests.fixtures.training_projects import FAST, small_project
from workbench.app.training.data_facts import facts_of
from workbench.app.training.preparing import DEFAULT_SPLIT_NOTE, prepare
from workbench.app.training.samples import collect
from workbench.cli.splits import split_command
from workbench.domain.splits import DEFAULT_SPLIT, PARTS, STRATA, SplitPlan
from workbench.domain.splits import shares as omitted
from workbench.domain.studies import parse_plan
from workbench.ui.dialogs.split import SplitDialog
from workbench.ui.parts.recipe.form import RecipeForm


def shares(of):
    return tuple(getattr(of, part) for part in PARTS)


def test_window_command_and_studies_use_the_default_split(qtbot, tmp_path, qapp):
    session = small_project(tmp_path)
    host = PageHost(session)
    expected = shares(DEFAULT_SPLIT)
    percent = [round(100 * share) for share in expected]
    assert shares(SplitPlan()) == expected
    study = {"split": {}, "base": {}, "variants": {"one": {}, "two": {}}}
    assert shares(parse_plan(study, "study").split) == expected
    options = {option.name: option.default for option in split_command.params}
    assert options["stratify"] == ",".join(STRATA)
    assert tuple(omitted({}).values()) == pytest.approx(expected)
    assert options["seed"] == DEFAULT_SPLIT.seed
    dialog = SplitDialog(host.context)
    qtbot.addWidget(dialog)
    ticked = [name for name, box in dialog.stratify.items() if box.isChecked()]
    assert tuple(ticked) == STRATA
    assert set(dialog.stratify) == set(session.store.labels.sets())
    assert [dialog.shares[part].value() for part in PARTS] == percent
    form = RecipeForm()
    qtbot.addWidget(form)
    form.set_parts({})
    words = " / ".join(str(part) for part in percent)
    assert words in form.parts.text()
    named = [f"{number} % {part}" for number, part in zip(percent, PARTS, strict=True)]
    assert (
        f"There was no split, so one was drawn: {named[0]}, {named[1]} and {named[2]}."
        == DEFAULT_SPLIT_NOTE
    )
    for facts in (facts_of(session.store, "category"), collect(session.store, "category").facts()):
        assert facts.class_counts == (round(12 * DEFAULT_SPLIT.train),) * 3
        assert facts.validation == round(36 * DEFAULT_SPLIT.validation)
    prepare(session, FAST)
    made = session.store.splits.current().plan
    assert made == DEFAULT_SPLIT
    assert session.store.history.entries()[0].text == f"Split {words}"
    host.close()
    session.close()
