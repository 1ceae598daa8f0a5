"""Relatedness of source domains to a target: request, result and interpretation."""

from __future__ import annotations

import msgspec

from workbench.domain.text import Message, counted, mark

CENTROIDS = 3
_WITHIN = (  # of the source, of the target
    mark("Fine-grained features of the source, cluster {at}: mean distance to its centre"),
    mark("Fine-grained features of the target, cluster {at}: mean distance to its centre"),
)
_WITHIN_VIEWS = (
    mark("View features of the source, cluster {at}: mean distance to its centre"),
    mark("View features of the target, cluster {at}: mean distance to its centre"),
)
_BETWEEN = (  # of all pairs, of matched pairs
    mark("Fine-grained features: cosine of source centre {one} and target centre {two}"),
    mark("Fine-grained features: distance of the centres of matched pair {at}"),
)
_BETWEEN_VIEWS = (
    mark("View features: cosine of source centre {one} and target centre {two}"),
    mark("View features: distance of the centres of matched pair {at}"),
)


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
    many of each source instead. side: of the images, in pixels. `networks` networks are trained
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


def number_names(views: bool) -> tuple[Message, ...]:
    """Names of the 36 numbers (18 without views), in order."""
    three = range(1, CENTROIDS + 1)
    within = (*_WITHIN, *_WITHIN_VIEWS) if views else _WITHIN
    names = [Message(text, at=at) for text in within for at in three]
    for cosine, matched in (_BETWEEN, _BETWEEN_VIEWS) if views else (_BETWEEN,):
        names += [Message(cosine, one=a, two=b) for a in three for b in three]
        names += [Message(matched, at=at) for at in three]
    return tuple(names)


def interpretation(source: SourceRelatedness, best: bool) -> tuple[Message, ...]:
    """A sentence each on association, agreement, similarity and coverage of a source; `best` for
    the most related one."""
    first = mark("Association {value:.2f}: the closest of these sources; 0 is the upper limit.")
    later = mark("Association {value:.2f}: less close than the first; 0 is the upper limit.")
    return (
        Message(first if best else later, value=source.doa),
        counted(
            source.pairs,
            "Agreement: {agreeing} of {n} pair of cluster centres points the same way.",
            "Agreement: {agreeing} of {n} pairs of cluster centres point the same way.",
            agreeing=source.agreeing,
        ),
        Message(
            "Similarity {value:.2f}: cosine of matched centres, from −1 to 1; 1 if they point the "
            "same way, 0 if unrelated.",
            value=source.similarity,
        ),
        Message(
            "Coverage {value:.2f}: mean of all numbers, mapped to 0–1; it affects the association "
            "less than agreement does.",
            value=source.coverage,
        ),
    )
