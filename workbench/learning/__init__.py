"""Transfer learning, run as a separate program: the only package that imports torch.

No other package may import torch or onnxruntime. Environment variables that these libraries read on
import are set here, before any module imports them.
"""

import os

from platformdirs import user_cache_dir

# The wheels of onnxruntime report to Microsoft and write a device id below the home unless this is
# set (its Privacy.md); `disable_telemetry_events` comes too late for the id and the first report.
# A user's own value is overridden: the network is used for nothing but ImageNet weights.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# captum imports matplotlib, which caches a font list in a folder of its own
os.environ.setdefault(
    "MPLCONFIGDIR", os.path.join(user_cache_dir("vantage-workbench"), "matplotlib")
)
