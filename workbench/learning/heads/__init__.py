"""Heads by name: what turns a backbone's features into scores of labels."""

import importlib
import pkgutil

from workbench.learning.heads.base import HEADS, LINEAR, Features, find_head, register
from workbench.learning.heads.outputs import ClassHead, JointHead

__all__ = [
    "HEADS",
    "LINEAR",
    "ClassHead",
    "Features",
    "JointHead",
    "find_head",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
