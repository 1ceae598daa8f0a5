"""CNN-RNN: label order, loss against numpy, and learning by the decoder."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from workbench.domain.recipes import Recipe
from workbench.domain.runs import LabelList, RunLabels
from workbench.learning.methods import METHODS, Batch, InitialState, Setup
from workbench.learning.methods.cnn_rnn import Decoder, SequenceNetwork
from workbench.learning.networks.device import choose_device
from workbench.learning.networks.models import build_network, card_of
from workbench.learning.serving.export import Probabilities, write

LABELS = RunLabels(LabelList("tags", ("a", "b", "c"), (0, 1, 2), exclusive=False))
MARKS = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
BATCH = Batch(
    torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(1)),
    torch.tensor([0, 1, 2]),
    torch.full((3,), -1),
    marks=MARKS,
)


def made() -> tuple[SequenceNetwork, Recipe]:
    torch.manual_seed(0)
    recipe = Recipe(target="tags", backbone="lenet5", image_size=32, method="cnn-rnn")
    kind = METHODS.find("cnn-rnn")
    network = kind.wrap(build_network("lenet5", LABELS), "lenet5", kind.spec.options({}))
    assert isinstance(network, SequenceNetwork)
    return network.eval(), recipe


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    result: np.ndarray = e / e.sum()
    return result


def test_labels_are_reported_the_most_frequent_first() -> None:
    network, recipe = made()
    method = METHODS.find("cnn-rnn")(Setup(recipe, LABELS, None, network))
    method.begin(InitialState(network, lambda _: [BATCH], choose_device(), len(BATCH.targets)))
    assert network.decoder.rank.tolist() == [1, 2, 0]  # c is on all three images
    assert network.decoder.order(MARKS).tolist() == [[2, 0, 3], [2, 1, 3], [2, 3, 3]]


def test_the_loss_is_that_of_every_step_worked_out_alone() -> None:
    network, recipe = made()
    method = METHODS.find("cnn-rnn")(Setup(recipe, LABELS, None, network))
    network.decoder.rank.copy_(torch.tensor([1, 2, 0]))
    with torch.no_grad():
        loss, _ = method.loss(network, BATCH)
        features, evidence = (value.numpy() for value in network.seen(BATCH.images))
    w = {key: value.numpy() for key, value in network.decoder.state_dict().items()}

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    means = []
    for row, messages in enumerate(([2, 0, 3], [2, 1, 3], [2, 3])):
        h = c = np.zeros(w["cell.weight_hh"].shape[1])
        word, gone, lost = 3, [], []
        for own in messages:
            gates = w["cell.weight_ih"] @ w["labels.weight"][word] + w["cell.bias_ih"]
            gates = gates + w["cell.weight_hh"] @ h + w["cell.bias_hh"]
            i, f, g, o = np.split(gates, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            x = w["of_state.weight"] @ h + w["of_state.bias"]
            x = np.maximum(x + w["of_image.weight"] @ features[row] + w["of_image.bias"], 0)
            scores = w["labels.weight"][:3] @ x + evidence[row]
            scores[gone] = -np.inf
            both = np.append(scores, w["end.weight"] @ x + w["end.bias"])
            lost.append(-np.log(softmax(both)[own]))
            gone.append(own)
            word = own
        means.append(np.mean(lost))
    assert np.isclose(float(loss), np.mean(means), atol=1e-5)


def test_a_decoder_learns_that_two_labels_go_together() -> None:
    torch.manual_seed(3)
    decoder = Decoder(2, 3, 8, 16)
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    marks = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    evidence = torch.zeros(2, 3)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.03)
    wanted = decoder.order(marks)
    for _ in range(150):
        logs = torch.stack(list(decoder.steps(features, evidence, wanted)), dim=1)
        loss = -logs.gather(2, wanted[:, :, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    messages = decoder(features, evidence).sigmoid()
    assert ((messages > 0.5).float() == marks).all()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the exporter's own
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_exported_file_gives_the_same_scores(tmp_path: Path) -> None:
    network, recipe = made()
    card = card_of(recipe, LABELS, network)
    module = Probabilities(network, card).eval()
    write(module, card, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {"images": BATCH.images.numpy()})
    with torch.no_grad():
        (wanted,) = module(BATCH.images)
    np.testing.assert_allclose(found, wanted.numpy(), atol=1e-4)
