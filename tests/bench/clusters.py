"""K-means on ImageNet features of six bird species, by the number of whitened components.

Run `python -m tests.bench.clusters [DATA]`. No bound: the number of components was chosen with it.
Compared with k-means on the centred features. Nothing is trained.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from workbench.app.images.importing import import_task
from workbench.app.jobs import Done, run_here
from workbench.app.session import Session
from workbench.app.similar.clustering import agreement
from workbench.app.similar.features import feature_source
from workbench.app.similar.similarity import similar_task
from workbench.domain.clusters import Clusters
from workbench.domain.features import feature_key, positions_of
from workbench.learning.clustering.deep_cluster import IMAGES_PER_COMPONENT, k_means, whitened
from workbench.storage.project import Project

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
STARTS = ("squeezenet1_0", "mobilenet_v2")
COMPONENTS = (6, 12, 25, 50, 100, 200)
SEEDS = 3


def features(session: Session, name: str) -> np.ndarray:
    """Features of all images in the order of their ids, from the session's index."""
    ids = session.store.images.ids()
    outcome = run_here(similar_task(session, feature_source(session, name), ids[:1]))
    assert isinstance(outcome, Done), outcome
    index = session.store.features.read(list(session.store.features.sizes())[-1])
    keys = [feature_key(row.hash) for row in session.store.images.rows(ids)]
    return np.asarray(index.rows[positions_of(index.keys, keys)], float)


def scores(session: Session, points: np.ndarray, k: int) -> tuple[float, float]:
    """Mean normalised mutual information with the categories, and purity."""
    ids = session.store.images.ids()
    found = []
    for seed in range(SEEDS):
        labels = k_means(points, k, seed).labels
        sure = np.ones(len(ids), np.float32)
        agreed = agreement(session, Clusters(ids, np.full(len(ids), -1), labels, sure), "category")
        assert agreed is not None
        found.append(agreed[:2])
    information, purity = np.mean(found, axis=0)
    return float(information), float(purity)


def main() -> None:
    """Print a line for each start and number of components."""
    data = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data").resolve()
    with tempfile.TemporaryDirectory() as name:
        session = Session(Project.create(Path(name) / "Birds"))
        run_here(import_task(session, [data / "birds6"], {"category": "folder"}))
        k = len(session.store.labels.get("category").names)
        for start in STARTS:
            x = features(session, f"{start}={data / 'weights' / start}.safetensors")
            plain = x - x.mean(axis=0)
            plain /= np.linalg.norm(plain, axis=1, keepdims=True)
            print(f"{start}: {len(x)} images, {k} groups, of {x.shape[1]} features")
            print("  as they are      NMI {:.3f}, purity {:.3f}".format(*scores(session, plain, k)))
            for count in (len(x) // IMAGES_PER_COMPONENT, *COMPONENTS):
                figures = scores(session, whitened(x, count), k)
                print("  {:>3} whitened     NMI {:.3f}, purity {:.3f}".format(count, *figures))
        session.close()


if __name__ == "__main__":
    from PySide6.QtCore import QCoreApplication

    application = QCoreApplication([])
    main()
