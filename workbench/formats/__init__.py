"""Dataset formats: one module each, which reads and writes the records of `domain.datasets`.

To add a format, add a module here with a class that is registered in `FORMATS`.
"""

from workbench.formats.base import (
    FORMATS,
    OWN,
    DatasetFormat,
    ReadOptions,
    WriteOptions,
    read_patterns,
    recognised,
    written_format,
    written_patterns,
)

__all__ = [
    "FORMATS",
    "OWN",
    "DatasetFormat",
    "ReadOptions",
    "WriteOptions",
    "read_patterns",
    "recognised",
    "written_format",
    "written_patterns",
]
