"""Paths of images in annotation files, and names of folders and files for labels.

Annotation tools write paths of another computer, URLs and addresses of their own server. They
become paths that can be found by their end: `cleaned` reduces one of them, `settle` those of a
whole dataset.
"""

from __future__ import annotations

import os
import posixpath
import re
import zlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import msgspec

from workbench.domain.datasets import Dataset
from workbench.domain.formats import IMAGE_FORMATS
from workbench.domain.images import SkippedFile
from workbench.domain.part_words import part_named
from workbench.domain.text import Message, counted

IMAGES = "images"  # the folder of images in several formats
UNASSIGNED = "unassigned"  # the folder of images without a part of a split, where others have one
LABELS = "labels"  # the folder of label files beside it
MOST_NAME = 230  # bytes of the name of a file or folder; systems allow 255 with all endings
DEEP = 8  # levels of folders in which files are looked for where images may be nested
MOST_GLIMPSED = 200  # folders in which files are looked for
MOST_ABOVE = 4  # folders above a dataset in which its images are looked for

_MOST_ENTRIES, _MOST_FOLDERS = 5000, 20  # that are looked at when a folder is recognised
_TRIED = 5  # images by which the folder of all is found
_LOCAL_FILE = "/data/local-files/?d="  # Label Studio: a file below its document root
_UPLOAD = re.compile(r"/data/upload/\d+/(?:[0-9a-f]{8}-)?(.+)", re.DOTALL)  # Label Studio
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://([^/]*)/(.*)", re.DOTALL)
_WEB_ADDRESS = re.compile(r"https?://[^/?#]*/([^?#]*)", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:/")
_UP = re.compile(r"(?:\.\./)+")
_WEB = ("http", "https", "file")  # whose URLs are percent-encoded
_FOREIGN = frozenset({"__MACOSX", "@eaDir", "$RECYCLE.BIN", "#recycle", "lost+found"})

_PORTS = [f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)]  # devices of Windows
DEVICES = frozenset({"con", "prn", "aux", "nul", *_PORTS})  # names that no file can have there
_RESERVED = DEVICES | {IMAGES, LABELS, UNASSIGNED}
_NO_NAME = frozenset('<>:"/\\|?*%')


# reading


def cleaned(written: str) -> str:
    """The path of an image as an annotation tool writes it, with forward slashes.

    URLs become the path on their server, and addresses of Label Studio the path or name of the
    file that was added. "" if the image is embedded in the file or no path is given.
    """
    if written.startswith("data:"):
        return ""
    before, local, rest = written.partition(_LOCAL_FILE)
    if local:
        path = unquote(rest)
    elif upload := _UPLOAD.search(written):
        path = unquote(upload[1])
    elif url := _URL.fullmatch(written):
        path = _path_of_url(url[1].lower(), url[3])
    else:
        path = before
    path = posixpath.normpath(path.replace("\\", "/")) if path else "."
    return "" if path == "." else path


def _path_of_url(scheme: str, rest: str) -> str:
    if scheme not in _WEB:
        return rest  # the key of an object in a cloud
    path = unquote(re.split(r"[?#]", rest, maxsplit=1)[0])
    return path if scheme != "file" or _DRIVE.match(path) else f"/{path}"


def image_path(written: str, base: Path) -> str:
    """The path of an image with forward slashes, of a path or URL as written in a file; of a web
    address, it is the path on its server.

    A backslash is kept if a file below `base` is so named.
    """
    if written[:7].lower() == "file://":
        written = _path_of_file_url(written)
    elif web := _WEB_ADDRESS.match(written):
        return f"/{unquote(web[1])}"
    if "\\" in written and (os.sep == "\\" or not exists(base, written)):
        return written.replace("\\", "/")
    return written


def _path_of_file_url(url: str) -> str:
    path = unquote(url[7:]).replace("\\", "/").removeprefix("localhost")
    if not path.startswith("/"):
        return f"//{path}"  # on a server
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def exists(base: Path, name: str) -> bool:
    """Whether `name` is a file below `base`, or an absolute path of one."""
    try:
        return os.path.isfile(os.path.join(base, name))
    except (OSError, ValueError):
        return False


def settle(dataset: Dataset, *, fixed: bool = False) -> None:
    """Make the paths of all images relative to the base of the dataset.

    Absolute paths lose the folders that all of them share; if the shared folder is on this
    computer, it becomes the base. Paths that lead out of the base move it up. The base stays as it
    is if it is `fixed`.
    """
    _settle_absolute(dataset, fixed)
    above = max((_steps_up(image.path) for image in dataset.images), default=0)
    if above:
        _settle_above(dataset, above, fixed)


def _settle_absolute(dataset: Dataset, fixed: bool) -> None:
    absolute = [image.path for image in dataset.images if is_absolute(image.path)]
    if not absolute:
        return
    shared = _shared_folder(absolute)
    base = dataset.base.absolute().as_posix().rstrip("/")
    if f"{shared}/".startswith(f"{base}/"):
        shared = base
    elif not fixed and len(absolute) == len(dataset.images) and _is_folder(shared):
        dataset.base = Path(shared)
    elif shared:
        text = Message("{folder}, where its images were, is left out of their paths", folder=shared)
        dataset.remarks.append(text)
    _rename(dataset, lambda path: path[len(shared) :].lstrip("/") if is_absolute(path) else path)


def _settle_above(dataset: Dataset, above: int, fixed: bool) -> None:
    parents = dataset.base.absolute().parts[1:]
    if fixed or above > min(MOST_ABOVE, len(parents)):
        _rename(dataset, lambda path: "/".join(path.split("/")[_steps_up(path) :]))
        return
    inner = "/".join(parents[-above:])
    dataset.base = dataset.base.absolute().parents[above - 1]
    _rename(dataset, lambda path: posixpath.normpath(f"{inner}/{path}"))


def _rename(dataset: Dataset, rename: Callable[[str], str]) -> None:
    dataset.images = [
        msgspec.structs.replace(image, path=rename(image.path)) for image in dataset.images
    ]


def is_absolute(path: str) -> bool:
    """Whether a cleaned path begins at the root of a disk, of this system or of another."""
    return path.startswith("/") or _DRIVE.match(path) is not None


def _shared_folder(paths: Sequence[str]) -> str:
    """The folder that all of the absolute paths share; "" if there is none."""
    first, last = min(paths).split("/"), max(paths).split("/")
    count = 0
    while count < min(len(first), len(last)) - 1 and first[count] == last[count]:
        count += 1
    return "/".join(first[:count])


def _is_folder(path: str) -> bool:
    try:
        return os.path.isdir(path)
    except ValueError:
        return False


def _steps_up(path: str) -> int:
    return 0 if (up := _UP.match(path)) is None else len(up[0]) // len("../")


def folder_of_images(base: Path, paths: Sequence[str], folders: Iterable[str]) -> str:
    """The first of `folders` (below `base`) in which one of the first few images is; "" if there is
    none."""
    folders = list(folders)
    for path in paths[:_TRIED]:
        for folder in folders:
            if _is_file(base / folder / path):
                return folder
    return ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def first_entries(folder: Path) -> list[os.DirEntry[str]]:
    """The first few thousand entries of a folder, sorted by name, by which it is recognised.

    Without hidden ones and those of other programs; empty if the folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            entries = list(islice(found, _MOST_ENTRIES))
    except (OSError, ValueError):
        return []
    return sorted((one for one in entries if not is_foreign(one.name)), key=lambda one: one.name)


def glimpsed(folder: Path, ending: str, levels: int = 1) -> Iterator[Path]:
    """Some files with this ending in a folder, and in its first folders down to `levels`, the upper
    ones first."""
    waiting = deque([(folder, levels)])
    seen = 1
    while waiting:
        here, below = waiting.popleft()
        entries = first_entries(here)
        yield from (Path(one.path) for one in entries if one.name.lower().endswith(ending))
        folders = (one for one in entries if below and one.is_dir(follow_symlinks=False))
        for one in islice(folders, min(_MOST_FOLDERS, MOST_GLIMPSED - seen)):
            seen += 1
            waiting.append((Path(one.path), below - 1))


def image_files(folder: Path, rejected: list[SkippedFile]) -> Generator[None, None, list[str]]:
    """Paths of the images below a folder, relative to it and sorted; yields in each folder.

    Hidden files and folders of other programs are left out. Folders that cannot be read and names
    that are not valid Unicode are added to `rejected`.
    """

    def unreadable(error: OSError) -> None:
        rejected.append(SkippedFile(str(error.filename), Message("the folder cannot be read")))

    found: list[str] = []
    for inner, below, names in os.walk(folder, onerror=unreadable):
        yield
        below[:] = sorted(name for name in below if not is_foreign(name))
        above = Path(inner).relative_to(folder).as_posix()
        for name in sorted(names):
            if is_image(name) and not is_foreign(name):
                found.append(name if above == "." else f"{above}/{name}")
    return list(_encodable(found, rejected))


def _encodable(paths: Iterable[str], rejected: list[SkippedFile]) -> Generator[str, None, None]:
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            shown = path.encode(errors="surrogateescape").decode(errors="replace")
            rejected.append(SkippedFile(shown, Message("its name is not valid")))
        else:
            yield path


def is_foreign(name: str) -> bool:
    """Whether a file or folder is hidden, or one that another program left there."""
    return name.startswith(".") or name in _FOREIGN


def is_image(name: str) -> bool:
    """Whether a file is an image by its extension, be it of a kind that is not imported."""
    return IMAGE_FORMATS.of(name) is not None


# writing


def inside(path: str) -> str:
    """A path as it can be written below a folder: relative, and without steps out of it."""
    path = _DRIVE.sub("", cleaned(path)).lstrip("/")
    return "/".join(part for part in path.split("/") if part != "..") or "image"


def below(folder: str, path: str) -> str:
    """`path` in `folder`; as it is if it is there already."""
    return path if not folder or path.startswith(f"{folder}/") else f"{folder}/{path}"


def stems(paths: Sequence[str]) -> list[str]:
    """Names for files that describe images: the images' paths without endings, or whole ones where
    these would be the same."""
    short = [path.rpartition(".")[0] or path for path in paths]
    counts = Counter([*(path.lower() for path in paths), *(stem.lower() for stem in short)])
    pairs = zip(paths, short, strict=True)
    return [stem if counts[stem.lower()] == 1 else path for path, stem in pairs]


def short_name(name: str, ending: str = "") -> str:
    """The name of a file or folder, shortened if it is longer than systems allow; a checksum keeps
    different ones apart. `ending` is kept."""
    if len((name + ending).encode(errors="replace")) <= MOST_NAME:
        return name + ending
    end = f"~{zlib.crc32(name.encode(errors='replace')):08x}{ending}"
    start = name.encode(errors="replace")[: max(1, MOST_NAME - len(end.encode(errors="replace")))]
    return start.decode(errors="ignore").rstrip(". ") + end


def as_file_name(label: str) -> str:
    """A label as the name of a folder or file on every system.

    Characters that are not allowed are percent-encoded, as is the first one of names that have a
    meaning of their own. `from_file_name` is the inverse, except for names that are shortened.
    """
    name = "".join(_encoded(sign) if sign in _NO_NAME or sign < " " else sign for sign in label)
    stem = name.split(".", 1)[0].lower()
    if name[:1] in (".", " ") or stem in _RESERVED or part_named(name) or is_image(name):
        name = _encoded(name[:1]) + name[1:] if name[:1] != "%" else name
    return short_name(name[:-1] + _encoded(name[-1]) if name[-1:] in (".", " ") else name)


def from_file_name(name: str) -> str:
    """The label that `as_file_name` wrote as `name`; any other name is a label as it is."""
    label = unquote(name)
    return label if label != name and as_file_name(label) == name else name


def shortened_labels(labels: Sequence[str]) -> list[Message]:
    """The message on labels that are too long for the name of a folder or file."""
    n = sum(from_file_name(as_file_name(label)) != label for label in labels)
    message = counted(
        n,
        "{n:,} label is shortened: the name of a folder or file cannot be as long.",
        "{n:,} labels are shortened: the names of folders and files cannot be as long.",
    )
    return [message] if n else []


def _encoded(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode(errors="replace"))
