"""Registries of entries that are selected by name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import TypeVar

from workbench.domain.errors import ValueRefused

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Entries of one kind by name, in the order of registration.

    With `package`, the entries are defined in the modules of that package, one file each. These are
    imported when the registry is first read, and the entries are sorted by name, since import order
    is arbitrary.
    """

    def __init__(self, kind: str, named_by: str = "name", package: str = "") -> None:
        """Create an empty registry.

        `kind` is the name of an entry in error messages. `named_by` is the (dotted) attribute that
        holds the name of an entry passed to `register`.
        """
        self._kind = kind
        self._name_of = attrgetter(named_by)
        self._sorted = bool(package)
        self._unread = package  # the package whose modules are not imported yet
        self._entries: dict[str, T] = {}

    def register(self, entry: T) -> T:
        """Add an entry under its own name and return it, for use as a class decorator.

        Raises ValueError if the name is taken.
        """
        return self.add(self._name_of(entry), entry)

    def add(self, name: str, entry: T) -> T:
        """Add an entry under `name` and return it. Raises ValueError if the name is taken."""
        if name in self._entries:
            raise ValueError(f"A {self._kind} called {name!r} already exists.")
        self._entries[name] = entry
        return entry

    @contextmanager
    def temporarily(self, name: str, entry: T) -> Generator[None, None, None]:
        """Within the block, register `entry`, replacing any other of that name; for experiments and
        tests."""
        self._import_modules()
        before = dict(self._entries)
        self._entries[name] = entry
        try:
            yield
        finally:
            self._entries = before

    def find(self, name: str) -> T:
        """Return the entry called `name`. Raises ValueRefused, which lists the known names."""
        if name not in self:
            raise ValueRefused(self._kind, name, ", ".join(self))
        return self[name]

    def __getitem__(self, name: str) -> T:
        self._import_modules()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._import_modules()
        return iter(sorted(self._entries) if self._sorted else tuple(self._entries))

    def __len__(self) -> int:
        self._import_modules()
        return len(self._entries)

    def _import_modules(self) -> None:
        if not self._unread:
            return
        for module in pkgutil.iter_modules(importlib.import_module(self._unread).__path__):
            importlib.import_module(f"{self._unread}.{module.name}")
        self._unread = ""
