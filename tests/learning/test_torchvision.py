"""torchvision loads beside a torch it was built for, and beside any other."""

import subprocess
import sys
from pathlib import Path

from workbench.learning.networks.tv import load_compiled_operators

ROOT = Path(__file__).resolve().parents[2]

# The compiled part of a matching build declares its operators when it is loaded, and a
# second declaration of the same one ends the process there.
MATCHING = """
import torch

declared = []

def load(path):
    if declared:
        raise OSError("only declarations are imitated here, no operators")
    library = torch.library.Library("torchvision", "FRAGMENT")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    declared.append(library)

{loading}
from workbench.learning.networks import tv

print(len(declared), len(tv._kept_alive), tv.models.squeezenet1_1().classifier[1].out_channels)
"""


def run(loading: str) -> str:
    code = MATCHING.format(loading=loading)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_operators_are_declared_once_where_the_compiled_part_loads():
    assert run("torch.ops.load_library = load") == "1 0 1000"


def test_operators_are_declared_where_the_compiled_part_does_not_load():
    refused = "def refuse(path):\n    raise OSError('built for another torch')\n"
    assert run(f"{refused}\ntorch.ops.load_library = refuse") == "0 2 1000"


def test_what_is_no_library_does_not_load(tmp_path):
    assert not load_compiled_operators(tmp_path)
    (tmp_path / "_C.so").write_bytes(b"no library")
    assert not load_compiled_operators(tmp_path)
