"""MixMatch: guesses the labels of unlabelled images and blends them with the labelled ones."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.methods import Parameter, Spec
from workbench.learning.images.data import Images
from workbench.learning.methods.base import METHODS, Batch, Method, Setup, Unlabelled
from workbench.learning.networks.models import Network, label_blocks, mirrored_columns

TITLE = "MixMatch"


@METHODS.register
class MixMatch(Method):
    """L = L_X + λ_U · L_U (Berthelot et al. 2019, algorithm 1).

    Each step brings B labelled images, and B unlabelled ones in K augmentations. The guess for an
    unlabelled image is q = sharpened(mean over its K looks of P(y|u), T), without a gradient; where
    a look is mirrored, its left is right. All (1 + K) · B images and their targets are then blended
    with a shuffled copy of themselves: λ ~ Beta(α, α) for each, λ' = max(λ, 1 − λ), x' = λ' x₁ +
    (1 − λ') x₂, p' likewise. L_X is the mean cross-entropy of the B that began labelled, L_U the
    mean over the K · B others and the C labels of (q' − P)². λ_U rises from 0 to `weight` over the
    first `ramp` of the training. The paper's 75 and more are for a million steps: in the few
    hundred of a fine-tuning they leave every guess even.

    With the joint head target and views are treated alike, the views' terms times `view_weight`; a
    blend that holds an image without the one label adds nothing to that label's term. The loss is
    cross-entropy, and blending is its own: `loss` and `mix` must be as they are by default. Batch
    normalisation takes note of the guessing too.
    """

    spec = Spec(
        name="mixmatch",
        kind="method",
        title=TITLE,
        words="Learns from unlabelled images too: guesses their labels and blends all images.",
        source="Berthelot et al. 2019, MixMatch: a holistic approach to semi-supervised learning",
        parameters=(
            Parameter(name="looks", default=2, low=1, high=8, words="looks at each image, K"),
            Parameter(
                name="temperature",
                default=0.5,
                low=0.05,
                high=1.0,
                words="sharpening of guesses, T",
            ),
            Parameter(name="alpha", default=0.75, low=0.01, words="evenness of the blends, α"),
            Parameter(name="weight", default=10.0, low=0.0, words="weight of guesses, λ_U"),
            Parameter(name="ramp", default=1.0, low=0.0, high=1.0, words="share in which it grows"),
            Parameter(name="unlabelled", default=10_000, low=1, words="most unlabelled images"),
            Parameter(
                name="left_out",
                default=False,
                words="images outside the split",
            ),
        ),
        needs=("unlabelled", "one label"),
    )

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        recipe, labels = setup.recipe, setup.labels
        for key, value in (("loss", recipe.loss), ("mix", recipe.mix)):
            plain = {"loss": "cross-entropy", "mix": "none"}[key]
            if value != plain:
                raise ValueRefused(key, value, f"{plain} with {TITLE}")
        if not labels.target.exclusive:
            raise KnownError(
                f"{TITLE} needs labels that exclude each other.", "Choose another method."
            )
        self.looks = int(self.number("looks"))
        self._recipe = recipe
        self._blocks = label_blocks(labels)
        self._columns = mirrored_columns(labels)
        self._weights = (setup.class_weights, None)

    def unlabelled(self, images: Images) -> NDArray[np.int64]:
        rows = images.unlabelled(left_out=bool(self.options["left_out"]))
        if not len(rows):
            raise KnownError(
                f"{TITLE} learns from unlabelled images too, and there are none to read.",
                "Import images without labelling them, or choose another method.",
            )
        return rows

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        given = batch.unlabelled
        assert given is not None
        count = len(batch.targets)
        known, wanted = self._told(batch)
        targets = torch.cat((wanted, self._guessed(network, given).to(wanted.dtype)))
        sure = torch.cat((known, known.new_ones(len(targets) - count, known.shape[1])))
        images = torch.cat((batch.images, given.images.flatten(0, 1)))
        partner = torch.randperm(len(images)).to(images.device)
        share = shares(len(images), self.number("alpha")).to(images.device)
        images = blended(images, partner, share)
        targets, sure = blended(targets, partner, share), sure & sure[partner]
        scores, others = network(images[:count]), network(images[count:])
        loss = self._labelled(scores.float(), targets[:count], sure[:count])
        term = self._unlabelled(others.float(), targets[count:], sure[count:])
        tie = network.head.tie() if self._recipe.tie else None
        loss = loss if tie is None else loss + self._recipe.tie * tie
        return loss + self._strength(batch.progress) * term, scores

    def _told(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """B × blocks: which labels each image has; and B × (C or C + K) smoothed targets, 0 where
        there is no label."""
        known, targets = [], []
        for labels, block in zip((batch.targets, batch.views), self._blocks, strict=False):
            classes = block.stop - block.start
            there = labels >= 0
            one_hot = F.one_hot(labels.clamp(min=0), classes).float()
            even = self._recipe.label_smoothing
            targets.append((one_hot * (1 - even) + even / classes) * there[:, None])
            known.append(there)
        return torch.stack(known, dim=1), torch.cat(targets, dim=1)

    @torch.no_grad()
    def _guessed(self, network: Network, given: Unlabelled) -> Tensor:
        """(K · B) × (C or C + K) targets, each as its look shows the image."""
        scores = network(given.images.flatten(0, 1)).float()
        said = torch.cat([scores[:, block].softmax(dim=1) for block in self._blocks], dim=1)
        said = self._turned(said.view(*given.flipped.shape, -1), given.flipped).mean(dim=0)
        sharp = [sharpened(said[:, block], self.number("temperature")) for block in self._blocks]
        guess = torch.cat(sharp, dim=1).expand(len(given.flipped), -1, -1)
        return self._turned(guess, given.flipped).flatten(0, 1)

    def _turned(self, values: Tensor, flipped: Tensor) -> Tensor:
        """K × B × columns, those of mirrored looks in the places of the labels they turn into."""
        return torch.where(flipped[:, :, None], values[:, :, self._columns], values)

    def _labelled(self, scores: Tensor, targets: Tensor, sure: Tensor) -> Tensor:
        """L_X: the mean of −Σ_c w_c p'_c log P_c, views added."""
        terms = []
        for at, block in enumerate(self._blocks):
            each = F.cross_entropy(
                scores[:, block], targets[:, block], weight=self._weights[at], reduction="none"
            )
            terms.append((each * sure[:, at]).sum() / len(each))
        return self._together(terms)

    def _unlabelled(self, scores: Tensor, targets: Tensor, sure: Tensor) -> Tensor:
        """L_U: the mean of (q' − P)² over images and labels, views added."""
        terms = []
        for at, block in enumerate(self._blocks):
            each = (scores[:, block].softmax(dim=1) - targets[:, block]).square().mean(dim=1)
            terms.append((each * sure[:, at]).sum() / len(each))
        return self._together(terms)

    def _together(self, terms: list[Tensor]) -> Tensor:
        views = terms[1] * self._recipe.view_weight if len(terms) > 1 else 0.0
        return terms[0] + views

    def _strength(self, progress: float) -> float:
        """λ_U where this share of the training is done."""
        ramp = self.number("ramp")
        return self.number("weight") * (min(1.0, progress / ramp) if ramp else 1.0)


def sharpened(probabilities: Tensor, temperature: float) -> Tensor:
    """Rows of N × C probabilities with p_c ^ (1/T), brought back to the sum 1."""
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(dim=1, keepdim=True)


def shares(count: int, alpha: float) -> Tensor:
    """N shares max(λ, 1 − λ) with λ ~ Beta(α, α), of torch's random state."""
    evenness = torch.tensor(alpha)
    drawn: Tensor = torch.distributions.Beta(evenness, evenness).sample((count,))
    return torch.maximum(drawn, 1 - drawn)


def blended(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """N × … values, each λ' of its own and 1 − λ' of its partner's."""
    own = share.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
    return values * own + values[partner] * (1 - own)
