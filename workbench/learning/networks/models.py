"""Networks of backbone and head, their model cards, and saving."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from workbench.domain.backbones import backbone
from workbench.domain.methods import Options
from workbench.domain.recipes import Recipe
from workbench.domain.runs import MODEL_FILE, WEIGHTS_FILE, ModelCard, RunLabels
from workbench.files import digest_of, replacing, write_recorded
from workbench.learning.heads import LINEAR, ClassHead, JointHead, find_head
from workbench.learning.networks.backbones import build_body

BODY = "body."


class Network(nn.Module):
    """A backbone and its head. N × 3 × H × W normalised images -> N × C target logits (class head),
    or N × (C + K) log-probabilities of target and view (joint head)."""

    def __init__(self, body: nn.Module, head: ClassHead | JointHead) -> None:
        super().__init__()
        self.body = body
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.body(images)))


def build_network(
    name: str, labels: RunLabels, head: str = LINEAR, options: Options | None = None
) -> Network:
    """Build a network for `labels` with random weights from torch's random state; `options` are a
    recipe's. Raises ValueRefused for an unknown head or head option."""
    kind = find_head(head)
    body, features = build_body(name, maps=kind.needs_maps)
    transform = kind(features, (options or {}).get(kind.spec.name, {}))
    classes = len(labels.target.labels)
    if labels.view is None:
        return Network(body, ClassHead(transform, classes))
    return Network(body, JointHead(transform, classes, len(labels.view.labels)))


def card_of(recipe: Recipe, labels: RunLabels, network: Network) -> ModelCard:
    """Model card to rebuild `network`, trained with `recipe` for `labels`."""
    known = backbone(recipe.backbone)
    return ModelCard(
        backbone=recipe.backbone,
        head=recipe.head,
        labels=labels,
        image_size=recipe.image_size,
        test_resize=recipe.test_resize,
        test_mirror=recipe.test_mirror,
        mean=known.mean,
        std=known.std,
        layers=explainable_layers(network, recipe.backbone, recipe.image_size),
        method=recipe.method,
        options=recipe.options,
        test_crops=recipe.test_crops,
        aspect=recipe.aspect,
    )


def explainable_layers(network: Network, name: str, size: int) -> tuple[str, ...]:
    """Names, for `get_submodule`, of the body's convolutions and stages whose output map has more
    than one cell, in forward order."""
    stages = {BODY + module for stage in backbone(name).stages for module in stage.modules}
    wanted = {
        module: path
        for path, module in network.named_modules()
        if path.startswith(BODY)
        and (isinstance(module, nn.Conv2d) or (path in stages and not _is_norm(module)))
    }
    met: list[str] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
            met.append(wanted[module])

    hooks = [module.register_forward_hook(note) for module in wanted]
    mode = network.training
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size, device=device))
    network.train(mode)
    for hook in hooks:
        hook.remove()
    return tuple(met)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d)


def weights_of(network: Network) -> dict[str, Tensor]:
    """The network's tensors on the CPU, with torchvision's names; those of the head start with
    "head."."""
    return {
        key.removeprefix(BODY): value.detach().cpu().contiguous().clone()
        for key, value in network.state_dict().items()
    }


def with_body_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of `weights_of`: keys for `Network.load_state_dict`."""
    return {k if k.startswith("head.") else BODY + k: v for k, v in weights.items()}


def save_model(folder: Path, weights: dict[str, Tensor], card: ModelCard) -> None:
    """Write weights and model card to a run folder, each atomically. The card records the digest of
    the weights, `digests.json` that of the card."""
    labels = msgspec.json.encode(card.labels).decode()
    with replacing(folder / WEIGHTS_FILE) as part:
        save_file(weights, part, metadata={"backbone": card.backbone, "labels": labels})
        card = msgspec.structs.replace(card, weights_digest=digest_of(part))
    write_recorded(folder / MODEL_FILE, msgspec.json.format(msgspec.json.encode(card)))


def blocks(card: ModelCard) -> Sequence[slice]:
    """`label_blocks` of a card's labels."""
    return label_blocks(card.labels)


def label_blocks(labels: RunLabels) -> Sequence[slice]:
    """Output columns of each label set: the target's and, for a joint head, the views'."""
    classes = len(labels.target.labels)
    if labels.view is None:
        return (slice(0, classes),)
    return (slice(0, classes), slice(classes, classes + len(labels.view.labels)))


def mirrored_columns(labels: RunLabels) -> list[int]:
    """For each output column, the column with the same meaning for the mirrored image."""
    columns = list(labels.target.mirror)
    if labels.view is not None:
        columns += [len(columns) + at for at in labels.view.mirror]
    return columns


def probabilities(outputs: Tensor, card: ModelCard) -> tuple[Tensor, ...]:
    """Probabilities from N × (C or C + K) outputs, one tensor per block: a softmax for exclusive
    labels, a sigmoid otherwise."""
    lists = (card.labels.target, card.labels.view)
    return tuple(
        outputs[:, block].float().softmax(dim=1)
        if known is None or known.exclusive
        else outputs[:, block].float().sigmoid()
        for block, known in zip(blocks(card), lists, strict=False)
    )
