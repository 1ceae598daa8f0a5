"""AT-CNN: the network looks twice, the second time only at what it attended to."""

from __future__ import annotations

from torch import Tensor

from workbench.domain.methods import Parameter, Spec
from workbench.learning.methods.base import METHODS, Batch, Method, Setup
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.attention import CHANNELS, Watch, attention, map_layer, masked
from workbench.learning.networks.models import Network, explainable_layers


@METHODS.register
class AtCnn(Method):
    """Loss = CE(N(I)) + CE(N(I ⊙ mask)) of one network N that sees every image twice, with the
    same weights (AT-CNN).

    The mask is that of N's last feature map, computed on the way: see `attention.attention`. It is
    a picture to look at, not a path of the gradient. Scores, in training and afterwards, are those
    of the whole image, so that predicting costs what it always does. Batch normalisation takes
    note of both looks. The paper has the head "fusion", Inception-v3 and the optimiser
    "adamw-then-sgd"; any head and backbone will do: without a head of maps the last map is that of
    the deepest layer that can be explained.
    """

    spec = Spec(
        name="at-cnn",
        kind="method",
        title="Attention (AT-CNN)",
        words="Shows the network every image a second time, only what it attended to.",
        source="AT-CNN: weakly supervised fine-grained image classification by attention, 2021",
        parameters=(
            Parameter(
                name="channels", default=CHANNELS, low=1, words="strongest channels in the mask"
            ),
            Parameter(name="weight", default=1.0, low=0.0, words="of the second look's loss"),
        ),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.label_loss = LabelLoss(setup)
        recipe = setup.recipe
        layers = explainable_layers(setup.network, recipe.backbone, recipe.image_size)
        self.layer = map_layer(setup.network, layers)

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        with Watch(network, self.layer) as watch:
            scores = network(batch.images)
        mask = attention(watch.output.detach(), int(self.number("channels")))
        again = network(masked(batch.images, mask))
        first = self.label_loss(network, scores, batch)
        second = self.label_loss(network, again, batch)
        return first + self.number("weight") * second, scores
