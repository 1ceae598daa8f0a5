"""A start's source classifier gives the same scores as its original network."""

import pytest
import torch
from safetensors.torch import save_file

from tests.fixtures.run_folders import make_run, train
from workbench.domain.errors import KnownError
from workbench.learning.evaluation.source_model import of_run, of_weights
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.tv import models


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v2", "resnet18"])
def test_a_weights_file_predicts_as_torchvision_does(tmp_path, name):
    torch.manual_seed(3)
    whole = getattr(models, name)(num_classes=7).eval()
    path = tmp_path / "w.safetensors"
    save_file(whole.state_dict(), path)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        wanted = whole(images).softmax(dim=1)
    features, messages = of_weights(name, path, 0, choose_device())(images)
    assert features.shape == (2, {"mobilenet_v2": 1280}.get(name, 512))
    assert torch.allclose(messages, wanted, atol=1e-5)
    assert wanted.std() > 0


def test_a_run_predicts_with_its_own_head(tmp_path):
    folder = make_run(tmp_path / "run", epochs=1)
    train(folder)
    model = of_run(folder, choose_device())
    features, messages = model(torch.randn(4, 3, model.image_size, model.image_size))
    assert messages.shape == (4, 3)
    assert torch.allclose(messages.sum(dim=1), torch.ones(4))
    assert features.shape[0] == 4
    # its weights alone give the same, without the card beside them
    alone = of_weights("simpleconv3", folder / "weights.safetensors", 0, choose_device())
    images = torch.randn(4, 3, 48, 48)
    assert torch.allclose(alone(images)[1], model(images)[1], atol=1e-6)


def test_random_weights_have_no_classifier_and_a_wrong_file_is_named(tmp_path):
    features, messages = of_weights("simpleconv3", None, 0, choose_device())(
        torch.randn(1, 3, 48, 48)
    )
    assert messages is None
    again, _ = of_weights("simpleconv3", None, 0, choose_device())(torch.randn(1, 3, 48, 48))
    assert features.shape == again.shape
    path = tmp_path / "other.safetensors"
    save_file({"conv.weight": torch.zeros(1)}, path)
    with pytest.raises(KnownError, match=r"other\.safetensors does not fit"):
        of_weights("simpleconv3", path, 0, choose_device())
