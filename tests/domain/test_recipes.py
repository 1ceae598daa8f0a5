"""A recipe written as TOML is read back as the same recipe."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.domain.recipes import Recipe, complete, parse_toml, to_toml


@given(
    st.text(min_size=1),
    st.floats(1e-12, 1e3),
    st.integers(1, 9999),
    st.booleans(),
)
def test_a_recipe_survives_its_text(path, rate, epochs, flip):
    recipe = Recipe(
        target="category", start="file:" + path, learning_rate=rate, epochs=epochs, flip=flip
    )
    assert complete(parse_toml(to_toml(recipe), "recipe.toml"), {}) == recipe
