"""Accuracy of each head on six bird species, with the same splits and recipe.

Run `python tests/bench/heads.py [HEAD …] [--seeds N] [--first SEED] [--set NAME.PARAMETER=VALUE …]
[--data FOLDER]`. Half of the images are for training, half for testing; SqueezeNet 1.0 with
ImageNet weights, all other settings recommended.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from real_input import DATA, cases, import_case, train_case

from workbench.app.session import Session
from workbench.domain.recipes import with_setting
from workbench.storage.project import Project

HEADS = ("linear", "bilinear", "compact-bilinear", "fusion")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heads", nargs="*", default=[])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    if not options.data.is_dir():
        print(f"There are no real images at {options.data}; give --data FOLDER.")
        return 1
    QCoreApplication.instance() or QCoreApplication([])
    case = cases(options.data)["birds6"]
    more: dict[str, object] = {}
    for setting in options.set:
        more = with_setting(more, setting)
    seeds = range(options.first, options.first + options.seeds)
    means = {}
    with tempfile.TemporaryDirectory() as temporary:
        session = Session(Project.create(Path(temporary) / "birds6"))
        try:
            import_case(session, case, options.data, Path(temporary))
            for head in options.heads or HEADS:
                print(head, flush=True)
                own = replace(case, chosen={**case.chosen, **more, "head": head})
                means[head] = sum(train_case(session, own, seed)[0] for seed in seeds) / len(seeds)
        finally:
            session.close()
    for head, mean in means.items():
        print(f"{head:>17}: mean of {len(seeds)} seeds {mean:.2f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
