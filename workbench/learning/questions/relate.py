"""Compare domains: sample their images, decode them and run the cohesion domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.domain.assessments import REQUEST_FILE
from workbench.domain.errors import KnownError
from workbench.domain.relatedness import DomainRequest, RelatednessRequest
from workbench.domain.reports import Related
from workbench.domain.runs import Sample
from workbench.domain.text import Message, counted
from workbench.learning.evaluation.cohesion import DomainImages, compare
from workbench.learning.evaluation.domain_samples import (
    draw_per_class,
    share_count,
    source_counts,
    target_counts,
)
from workbench.learning.images.data import load_images
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted

LEAST = 3  # images per domain, for three centroids


def relate(folder_request: FolderRequest) -> None:
    """Report Related for the request in the folder. Raises KnownError if a domain is too small or
    none of its images can be read."""
    request = folder_request.read(REQUEST_FILE, RelatednessRequest)
    every = [folder_request.samples(domain.samples) for domain in request.domains]
    drawn = drawn_samples(every, request)
    domains = [
        _images(folder_request, domain, samples, request.side)
        for domain, samples in zip(request.domains, drawn, strict=True)
    ]

    def progress(done: int, total: int) -> bool:
        folder_request.progress(done, total, Message("Comparing domains"))
        return folder_request.interrupted()

    found = compare(domains, request, progress)
    if found is None:
        raise RequestInterrupted
    folder_request.report(Related(relatedness=found))


def drawn_samples(
    every: Sequence[Sequence[Sample]], request: RelatednessRequest
) -> list[list[Sample]]:
    """Samples of each domain for the comparison, the target's first."""
    labels = [np.array([sample.target for sample in samples], dtype=np.int64) for samples in every]
    sizes = [np.bincount(own[own >= 0]).tolist() for own in labels]
    target_sizes = [size for size in sizes[0] if size]
    if not target_sizes:
        raise KnownError("The target has no labelled images to compare.", "Label some first.")
    found = []
    for at, (samples, own) in enumerate(zip(every, labels, strict=True)):
        random = np.random.default_rng([request.seed, at])
        if request.share > 0:
            known = np.flatnonzero(own >= 0)
            count = min(len(known), share_count(sum(target_sizes), request.share))
            rows = np.sort(random.choice(known, count, replace=False))
        elif at == 0:
            rows = draw_per_class(own, target_counts(request.per_class, sizes[at]), random)
        else:
            counts = source_counts(request.per_class, sizes[at], target_sizes)
            rows = draw_per_class(own, counts, random)
        found.append([samples[row] for row in rows])
    return found


def _images(
    folder_request: FolderRequest, domain: DomainRequest, samples: Sequence[Sample], side: int
) -> DomainImages:
    images = load_images(
        samples, side, folder_request.folder, folder_request.report, folder_request.interrupted
    )
    if images is None:
        raise RequestInterrupted
    kept = [at for at in range(len(samples)) if images.read[at]]
    if len(kept) < LEAST:
        raise KnownError(
            counted(
                len(kept),
                "“{name}” has {n:,} usable image; a comparison needs {least}.",
                "“{name}” has {n:,} usable images; a comparison needs {least}.",
                name=domain.name,
                least=LEAST,
            ),
            "Label more images, or compare with another source.",
        )
    return DomainImages(
        domain.name,
        images.pixels[kept],
        tuple(domain.classes[samples[at].target] for at in kept),
        tuple(samples[at].true_view for at in kept),
    )
