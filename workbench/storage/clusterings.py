"""Clusterings of a project: a folder each, made again at any time, so deleted at any time."""

from __future__ import annotations

import contextlib
import os
import shutil
import zipfile
from pathlib import Path

import msgspec
import numpy as np

from workbench.domain.clusters import CLUSTERS_FILE, RECORD_FILE, Clustering, Clusters
from workbench.domain.errors import KnownError


class Clusterings:
    """The folder `clusters` of a project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clusters"

    def place(self, id: str) -> Path:
        """Where a clustering lies, or will; made when it is not there."""
        place = self.folder / id
        place.mkdir(parents=True, exist_ok=True)
        return place

    def all(self) -> list[Clustering]:
        """Those that are whole, newest first."""
        found = []
        for path in self.folder.glob(f"*/{RECORD_FILE}"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found.append(msgspec.json.decode(path.read_bytes(), type=Clustering))
        return sorted(found, key=lambda one: -one.made)

    def find(self, id: str) -> Clustering | None:
        """The whole clustering with this id, or None."""
        return next((one for one in self.all() if one.id == id), None)

    def read(self, id: str) -> Clusters:
        """Who belongs where. Raises KnownError where the file is gone or damaged."""
        path = self.folder / id / CLUSTERS_FILE
        try:
            with np.load(path, allow_pickle=False) as held:
                return Clusters(held["images"], held["crops"], held["clusters"], held["confidence"])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise KnownError(f"{path} cannot be read.", "Group the images again.") from error

    def keep(self, made: Clustering) -> None:
        """List a clustering whose result is in its place."""
        path = self.place(made.id) / RECORD_FILE
        part = path.with_name(f"{RECORD_FILE}.part")
        part.write_bytes(msgspec.json.encode(made))
        os.replace(part, path)

    def forget(self) -> int:
        """Delete all of them, also those that were not finished; how many. Labels that came of them
        stay."""
        places = list(self.folder.iterdir()) if self.folder.is_dir() else []
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        return len(places)
