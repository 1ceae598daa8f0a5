"""Relatedness of source domains to a target: request, result and interpretation."""

from __future__ import annotations

import msgspec

CENTROIDS = 3
_WITHIN = "{kind} features of the {domain}, cluster {at}: mean distance to its centre"
_COSINE = "{kind} features: cosine of source centre {one} and target centre {two}"
_MATCHED = "{kind} features: distance of the centres of matched pair {at}"


class DomainRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One domain: its name, the file of its samples, and its label names.

    Label names of classes and of views; the latter are empty if unknown.
    """

    name: str
    samples: str
    classes: tuple[str, ...]


class RelatednessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to compare the first domain, the target, with all the others.

    per_class: images c of each target class; share: if above 0, this share of the target and as
    many of each source instead. side: of the squares, in pixels. `networks` networks are trained
    with different draws, each for `steps` steps of `batch` pairs. threshold: cosine above which a
    pair of centres agrees, after subtracting the mean of all domains.
    """

    domains: tuple[DomainRequest, ...]
    per_class: int = 50
    share: float = 0.0
    side: int = 32
    networks: int = 3
    steps: int = 200
    batch: int = 32
    threshold: float = 0.5
    seed: int


class SourceRelatedness(msgspec.Struct, frozen=True, kw_only=True):
    """Relatedness of one source to the target.

    `doa` is the degree of association, below 0, where values nearer 0 are more related: the mean
    over the networks (`doas`). The other figures are of the median network: `similarity` S_sim of
    matched centres in [−1, 1]; `coverage` in (0, 1); `agreeing` of `pairs` pairs of centres pass
    the threshold; `numbers`, 36 or, without views, 18.
    """

    name: str
    doa: float
    doas: tuple[float, ...]
    similarity: float
    coverage: float
    agreeing: int
    pairs: int
    numbers: tuple[float, ...]
    images: int


class Relatedness(msgspec.Struct, frozen=True, kw_only=True):
    """All sources, the most related first.

    `views` is true if views were used; the energies are the mean distances of the last pairs of the
    same kind and of different kinds.
    """

    sources: tuple[SourceRelatedness, ...]
    target: str
    target_images: int
    views: bool
    same_energy: float
    different_energy: float
    seconds: float


def number_names(views: bool) -> tuple[str, ...]:
    """Names of the 36 numbers (18 without views), in order."""
    kinds = ("fine-grained", "view") if views else ("fine-grained",)
    three = range(1, CENTROIDS + 1)
    within = [
        _WITHIN.format(kind=kind, domain=domain, at=at)
        for kind in kinds
        for domain in ("source", "target")
        for at in three
    ]
    between: list[str] = []
    for kind in kinds:
        between += [_COSINE.format(kind=kind, one=a, two=b) for a in three for b in three]
        between += [_MATCHED.format(kind=kind, at=at) for at in three]
    return (*within, *between)


def in_words(source: SourceRelatedness, best: bool) -> tuple[str, ...]:
    """Interpret each figure in a sentence."""
    lead = "the closest of the sources compared" if best else "further away than the first"
    agree = f"{source.agreeing} of {source.pairs} pairs of cluster centres point the same way"
    return (
        f"Degree of association {source.doa:.2f}: {lead}; 0 would be the closest possible.",
        f"Agreement: {agree}.",
        f"Similarity {source.similarity:.2f}: cosine of matched centres, 1 the same, 0 unrelated, "
        "below 0 opposed.",
        f"Coverage {source.coverage:.2f}: how much the spread and distances of the clusters weigh; "
        "it shifts the degree, agreement decides it.",
    )
