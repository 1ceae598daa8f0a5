"""MixMatch: semi-supervised training with guessed labels for unlabelled images."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.methods import Parameter, Spec
from workbench.domain.text import Message, mark
from workbench.learning.images.data import Images
from workbench.learning.methods.base import METHODS, Batch, Method, Setup, Unlabelled
from workbench.learning.networks.models import Network, label_blocks, mirrored_columns

TITLE = "MixMatch"


@METHODS.register
class MixMatch(Method):
    """L = L_X + λ_U · L_U (Berthelot et al. 2019, algorithm 1).

    Each step uses B labelled images, and B unlabelled ones in K augmentations. The guess for an
    unlabelled image is q = sharpen(mean over its K views of P(y|u), T), without a gradient;
    predictions of mirrored views are mapped back to the unmirrored labels. All (1 + K) · B images
    and their targets are mixed with a shuffled copy: λ ~ Beta(α, α) each, λ' = max(λ, 1 − λ), x' =
    λ' x₁ + (1 − λ') x₂, p' likewise. L_X is the mean cross-entropy of the B labelled images, L_U
    the mean over the K · B others and the C labels of (q' − P)². λ_U rises from 0 to `weight` over
    the first `ramp` of the training. The paper's weights of 75 and more are for a million steps; in
    the few hundred of a fine-tuning they keep all guesses uniform.

    With the joint head, target and views are treated alike, with the views' terms multiplied by
    `view_weight`; a mix that includes an image without a label does not contribute to that label's
    term. The method has its own loss and mixing: `loss` and `mix` must keep their defaults. Batch
    normalisation is also updated while guessing.
    """

    spec = Spec(
        name="mixmatch",
        kind="method",
        title=TITLE,
        description=mark(
            "Also trains on unlabelled images: guesses their labels and mixes all images."
        ),
        source="Berthelot et al. 2019, MixMatch: a holistic approach to semi-supervised learning",
        parameters=(
            Parameter(
                name="looks",
                default=2,
                low=1,
                high=8,
                description=mark("augmentations of each unlabelled image, K"),
            ),
            Parameter(
                name="temperature",
                default=0.5,
                low=0.05,
                high=1.0,
                description=mark("temperature of guessed labels, T"),
            ),
            Parameter(name="alpha", default=0.75, low=0.01, description=mark("mixing strength, α")),
            Parameter(
                name="weight",
                default=10.0,
                low=0.0,
                description=mark("weight of unlabelled images, λ_U"),
            ),
            Parameter(
                name="ramp",
                default=1.0,
                low=0.0,
                high=1.0,
                description=mark("share of training to reach the full weight"),
            ),
            Parameter(
                name="unlabelled",
                default=10_000,
                low=1,
                description=mark("unlabelled images, at most"),
            ),
            Parameter(
                name="left_out",
                default=False,
                description=mark("use labelled images outside the split"),
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
                allowed = Message("{plain} with {method}", plain=plain, method=TITLE)
                raise ValueRefused(key, value, allowed)
        if not labels.target.exclusive:
            raise KnownError(
                "{title} needs exclusive labels.", "Choose another method.", title=TITLE
            )
        self.augmentations = int(self.number("looks"))
        self._recipe = recipe
        self._blocks = label_blocks(labels)
        self._columns = mirrored_columns(labels)
        self._weights = (setup.class_weights, None)

    def unlabelled(self, images: Images) -> NDArray[np.int64]:
        rows = images.unlabelled(include_labelled=bool(self.options["left_out"]))
        if not len(rows):
            raise KnownError(
                "{title} needs unlabelled images, and there are none that can be read.",
                "Import images without labelling them, or choose another method.",
                title=TITLE,
            )
        return rows

    def loss(self, network: Network, batch: Batch) -> tuple[Tensor, Tensor]:
        given = batch.unlabelled
        assert given is not None
        count = len(batch.targets)
        known, wanted = self._targets(batch)
        targets = torch.cat((wanted, self._guess_labels(network, given).to(wanted.dtype)))
        labelled = torch.cat((known, known.new_ones(len(targets) - count, known.shape[1])))
        images = torch.cat((batch.images, given.images.flatten(0, 1)))
        partner = torch.randperm(len(images)).to(images.device)
        share = mix_shares(len(images), self.number("alpha")).to(images.device)
        images = blend(images, partner, share)
        targets, labelled = blend(targets, partner, share), labelled & labelled[partner]
        scores, others = network(images[:count]), network(images[count:])
        loss = self._labelled(scores.float(), targets[:count], labelled[:count])
        term = self._unlabelled(others.float(), targets[count:], labelled[count:])
        tie = network.head.tie() if self._recipe.tie else None
        loss = loss if tie is None else loss + self._recipe.tie * tie
        return loss + self._strength(batch.progress) * term, scores

    def _targets(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Known labels, B × blocks, and smoothed targets, B × (C or C + K), 0 for unknown
        labels."""
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
    def _guess_labels(self, network: Network, given: Unlabelled) -> Tensor:
        """Guessed targets, (K · B) × (C or C + K), mirrored to match each view."""
        scores = network(given.images.flatten(0, 1)).float()
        predicted = torch.cat([scores[:, block].softmax(dim=1) for block in self._blocks], dim=1)
        predicted = self._mirrored(predicted.view(*given.flipped.shape, -1), given.flipped).mean(
            dim=0
        )
        sharp = [sharpen(predicted[:, block], self.number("temperature")) for block in self._blocks]
        guess = torch.cat(sharp, dim=1).expand(len(given.flipped), -1, -1)
        return self._mirrored(guess, given.flipped).flatten(0, 1)

    def _mirrored(self, values: Tensor, flipped: Tensor) -> Tensor:
        """Swap the columns of mirrored views in K × B × columns."""
        return torch.where(flipped[:, :, None], values[:, :, self._columns], values)

    def _labelled(self, scores: Tensor, targets: Tensor, labelled: Tensor) -> Tensor:
        """L_X: mean of −Σ_c w_c p'_c log P_c, plus the views' term."""
        terms = []
        for at, block in enumerate(self._blocks):
            each = F.cross_entropy(
                scores[:, block], targets[:, block], weight=self._weights[at], reduction="none"
            )
            terms.append((each * labelled[:, at]).sum() / len(each))
        return self._combined(terms)

    def _unlabelled(self, scores: Tensor, targets: Tensor, labelled: Tensor) -> Tensor:
        """L_U: mean of (q' − P)² over images and labels, plus the views' term."""
        terms = []
        for at, block in enumerate(self._blocks):
            each = (scores[:, block].softmax(dim=1) - targets[:, block]).square().mean(dim=1)
            terms.append((each * labelled[:, at]).sum() / len(each))
        return self._combined(terms)

    def _combined(self, terms: list[Tensor]) -> Tensor:
        views = terms[1] * self._recipe.view_weight if len(terms) > 1 else 0.0
        return terms[0] + views

    def _strength(self, progress: float) -> float:
        """λ_U at this share of the training."""
        ramp = self.number("ramp")
        return self.number("weight") * (min(1.0, progress / ramp) if ramp else 1.0)


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """Raise N × C probabilities to the power 1/T and renormalise."""
    powers = probabilities ** (1 / temperature)
    return powers / powers.sum(dim=1, keepdim=True)


def mix_shares(count: int, alpha: float) -> Tensor:
    """N shares max(λ, 1 − λ) with λ ~ Beta(α, α), from torch's random state."""
    evenness = torch.tensor(alpha)
    drawn: Tensor = torch.distributions.Beta(evenness, evenness).sample((count,))
    return torch.maximum(drawn, 1 - drawn)


def blend(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Mix N × … values with their partners': λ' · own + (1 − λ') · partner's."""
    own = share.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
    return values * own + values[partner] * (1 - own)
