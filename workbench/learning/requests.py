"""Folder requests, such as `python -m workbench.learning --assess FOLDER`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.domain.reports import Stopped
from workbench.learning.protocol.control import Control
from workbench.learning.protocol.failures import error_report
from workbench.learning.protocol.folders import FolderRequest, RequestInterrupted
from workbench.learning.protocol.reporting import Reporter


def run_folder_request(name: str, folder: Path, control: Control) -> int:
    """Run the request in a folder, one of FOLDER_REQUESTS; return 0 on success, else 1.

    A request on stdin, its end or a signal, which `control` handles, stops the work, which then
    reports Stopped.
    """
    control.listen()
    reporter = Reporter(None)
    try:
        _work(name)(FolderRequest(folder, reporter, control))
    except RequestInterrupted:
        control.handled.set()
        reporter(Stopped(epoch=0))
    except Exception as error:
        reporter(error_report(error))
        return 1
    finally:
        reporter.close()
    return 0


def _work(name: str) -> Callable[[FolderRequest], None]:
    if name == "assess":
        from workbench.learning.questions.assess import assess

        return assess
    if name == "layers":
        from workbench.learning.questions.layers import study_layers

        return study_layers
    if name == "features":
        from workbench.learning.questions.features import write_features

        return write_features
    if name == "cluster":
        from workbench.learning.clustering.training import cluster

        return cluster
    from workbench.learning.questions.relate import relate

    return relate
