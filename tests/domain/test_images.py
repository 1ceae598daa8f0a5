"""Sources of images."""

from tests.fixtures.defaults import defaults_of
from workbench.domain.formats import Origin
from workbench.domain.images import Source


def test_a_new_source_has_no_images():
    found = defaults_of(Source, id=1, path="/photos", kind=Origin.FOLDER)
    assert found == {"images": 0, "skipped": 0}
