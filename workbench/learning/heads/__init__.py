"""Registry of heads, which map backbone features to label scores."""

from workbench.learning.heads.base import HEADS, LINEAR, Features, Outputs, find_head
from workbench.learning.heads.outputs import ClassHead, JointHead

__all__ = ["HEADS", "LINEAR", "ClassHead", "Features", "JointHead", "Outputs", "find_head"]
