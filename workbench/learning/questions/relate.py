"""Answers how related domains are: their images are drawn and read, and a network compares them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import DomainRequest, RelatednessRequest
from workbench.domain.reports import Related
from workbench.domain.runs import Sample
from workbench.learning.evaluation.cohesion import DomainImages, compare
from workbench.learning.evaluation.domain_samples import (
    draw_per_class,
    share_count,
    source_counts,
    target_counts,
)
from workbench.learning.images.data import load_images
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

LEAST = 3  # images of a domain: three centres need them


def relate(errand: FolderRequest) -> None:
    """Report Related for the order in the folder. Raises KnownError where a domain is too small or
    none of its images can be read."""
    order = errand.read(REQUEST_FILE, RelatednessRequest)
    every = [errand.samples(domain.samples) for domain in order.domains]
    drawn = drawn_samples(every, order)
    domains = [
        _images(errand, domain, samples, order.side)
        for domain, samples in zip(order.domains, drawn, strict=True)
    ]

    def beat(done: int, total: int) -> bool:
        errand.progress(done, total, "Comparing domains")
        return errand.interrupted()

    found = compare(domains, order, beat)
    if found is None:
        raise RequestInterrupted
    errand.report(Related(relatedness=found))


def drawn_samples(
    every: Sequence[Sequence[Sample]], order: RelatednessRequest
) -> list[list[Sample]]:
    """The samples of each domain that enter the comparison, the target's first."""
    labels = [np.array([sample.target for sample in samples], dtype=np.int64) for samples in every]
    sizes = [np.bincount(own[own >= 0]).tolist() for own in labels]
    target_sizes = [size for size in sizes[0] if size]
    if not target_sizes:
        raise KnownError("The target has no labelled images to compare.", "Label some first.")
    found = []
    for at, (samples, own) in enumerate(zip(every, labels, strict=True)):
        random = np.random.default_rng([order.seed, at])
        if order.share > 0:
            known = np.flatnonzero(own >= 0)
            count = min(len(known), share_count(sum(target_sizes), order.share))
            rows = np.sort(random.choice(known, count, replace=False))
        elif at == 0:
            rows = draw_per_class(own, target_counts(order.per_class, sizes[at]), random)
        else:
            counts = source_counts(order.per_class, sizes[at], target_sizes)
            rows = draw_per_class(own, counts, random)
        found.append([samples[row] for row in rows])
    return found


def _images(
    errand: FolderRequest, domain: DomainRequest, samples: Sequence[Sample], side: int
) -> DomainImages:
    images = load_images(samples, side, errand.folder, errand.report, errand.interrupted)
    if images is None:
        raise RequestInterrupted
    kept = [at for at in range(len(samples)) if images.read[at]]
    if len(kept) < LEAST:
        raise KnownError(
            f"{len(kept)} images of “{domain.name}” take part; a comparison needs {LEAST}.",
            "Label more images, or compare with another source.",
        )
    return DomainImages(
        domain.name,
        images.squares[kept],
        tuple(domain.classes[samples[at].target] for at in kept),
        tuple(samples[at].true_view for at in kept),
    )
