"""AT-CNN: a second forward pass on the image masked by its own attention."""

from __future__ import annotations

from torch import Tensor

from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import mark
from workbench.learning.methods.base import METHODS, Batch, Method, Setup
from workbench.learning.methods.terms import LabelLoss
from workbench.learning.networks.attention import (
    CHANNELS,
    OutputCapture,
    attention,
    map_layer,
    masked,
)
from workbench.learning.networks.models import Network, explainable_layers


@METHODS.register
class AtCnn(Method):
    """Loss = CE(N(I)) + CE(N(I ⊙ mask)) of one network N with shared weights (AT-CNN).

    The mask comes from N's last feature map in the first pass (see `attention.attention`) and is
    detached. Scores, in training and prediction, are those of the whole image, so prediction costs
    one pass. Batch normalisation sees both passes. The paper uses the head "fusion", Inception-v3
    and the optimizer "adamw-then-sgd"; any head and backbone work. Without a map-based head, the
    last map is that of the deepest explainable layer.
    """

    spec = Spec(
        name="at-cnn",
        kind="method",
        title=mark("Attention (AT-CNN)"),
        description=mark("Trains on every image a second time, masked by the network's attention."),
        source="AT-CNN: weakly supervised fine-grained image classification by attention, 2021",
        parameters=(
            Parameter(
                name="channels",
                default=CHANNELS,
                low=1,
                description=mark("strongest channels in the mask"),
            ),
            Parameter(
                name="weight",
                default=1.0,
                low=0.0,
                description=mark("weight of the second pass's loss"),
            ),
        ),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.label_loss = LabelLoss(setup)
        recipe = setup.recipe
        layers = explainable_layers(setup.network, recipe.backbone, recipe.image_size)
        self.layer = map_layer(setup.network, layers)

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        with OutputCapture(network, self.layer) as watch:
            scores = network(batch.images)
        mask = attention(watch.output.detach(), int(self.number("channels")))
        again = network(masked(batch.images, mask))
        first = self.label_loss(network, scores, batch)
        second = self.label_loss(network, again, batch)
        return first + self.number("weight") * second, scores
