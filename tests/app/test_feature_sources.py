"""Networks for comparing images: which there are, their names, and the names of their indexes."""

import pytest

from tests.fixtures.training_projects import small_project
from workbench.app.similar.features import (
    FeatureSource,
    check_weights,
    feature_source,
    feature_sources,
    image_of_file,
    index_name,
)
from workbench.app.weights import weights_folder
from workbench.domain.assessments import StartRequest
from workbench.domain.backbones import BACKBONES
from workbench.domain.errors import KnownError, ValueRefused
from workbench.vision.headers import identify


@pytest.fixture
def small(tmp_path, qapp, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    session = small_project(tmp_path, count=3)
    yield session
    session.close()


def downloaded(name):
    path = weights_folder() / BACKBONES[name].weights
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(name.encode())
    return path


def test_downloaded_weights_are_offered_in_the_order_of_their_rank(small):
    for name in ("vgg16", "resnet18"):
        path = downloaded(name)
    ranked = sorted(("vgg16", "resnet18"), key=lambda name: BACKBONES[name].feature_rank)
    found = feature_sources(small)
    assert [source.name for source in found] == ranked
    request = StartRequest(start="imagenet", backbone="resnet18", weights=str(path))
    source = FeatureSource("resnet18", "ImageNet · ResNet-18", request)
    assert feature_source(small, "resnet18") == source
    assert (feature_source(small), source.crops) == (found[0], False)
    assert feature_source(small, "resnet18", crops=False) == source
    mouths = feature_source(small, "resnet18", crops=True)
    assert (mouths.name, mouths.crops) == ("resnet18", True)


def test_what_is_missing_or_no_source_is_refused_with_what_there_is(small):
    with pytest.raises(ValueRefused, match="no ImageNet weights are downloaded"):
        feature_source(small, "vgg16")
    downloaded("resnet18")
    with pytest.raises(ValueRefused, match=r"downloaded weights \(resnet18\)"):
        feature_source(small, "vgg16")
    for name in ("resnet18=", "run:", "other:resnet18", "other"):
        with pytest.raises(ValueRefused, match="BACKBONE=FILE"):
            feature_source(small, name)
    with pytest.raises(ValueRefused, match="Random weights"):
        feature_source(small, "none")


def test_an_index_is_named_by_the_network_and_its_weights(small, tmp_path):
    path = tmp_path / "own.pth"
    path.write_bytes(b"own")
    source = feature_source(small, f"resnet18={path}")
    assert (source.title, source.request.weights) == ("own.pth · ResNet-18", str(path))
    assert index_name(source.request) == f"resnet18-{identify(path)[:16]}-squeeze"
    path.unlink()
    with pytest.raises(KnownError, match=r"own\.pth cannot be read"):
        index_name(source.request)


def test_only_damaged_imagenet_weights_are_refused(small, tmp_path):
    path = downloaded("resnet18")
    with pytest.raises(KnownError, match="is damaged"):
        check_weights(feature_source(small, "resnet18").request)
    check_weights(feature_source(small, f"resnet18={path}").request)


def test_an_image_is_found_by_its_content(small, tmp_path):
    row = small.store.images.row(int(small.store.images.ids()[1]))
    copy = tmp_path / "copy.png"
    copy.write_bytes((tmp_path / "pictures" / "001.png").read_bytes())
    assert image_of_file(small, copy) == row.id
    copy.write_bytes(b"another")
    assert image_of_file(small, copy) is None
    assert image_of_file(small, tmp_path / "none.png") is None
