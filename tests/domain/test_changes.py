"""Changes to a project add up in any order."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.changes import Changes

sets_of_ids = st.frozensets(st.integers(1, 5))
changes = st.builds(
    Changes,
    sets_of_ids,
    sets_of_ids,
    sets_of_ids,
    sets_of_ids,
    sources=st.booleans(),
    studies=st.booleans(),
)


@given(changes, changes)
def test_changes_add_up(one, other):
    both = one | other
    assert both == other | one
    assert both.added == one.added | other.added
    assert both.studies == (one.studies or other.studies)
    assert both | one == both
    assert bool(both) == (bool(one) or bool(other))
    assert not Changes()
