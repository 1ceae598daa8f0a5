"""XML files of annotation tools, without document types, entities and access to other files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, TreeBuilder, XMLParser, indent

from workbench.domain.errors import parsing
from workbench.domain.text import Message
from workbench.files import read_regular, regular_bytes, replacing
from workbench.formats.json_files import not_of_format

OPENING = 1 << 14  # bytes of a file by which it is recognised
_NOT_ALLOWED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def opening_text(path: Path) -> str:
    """The beginning of a file as text; "" if it cannot be read."""
    try:
        return regular_bytes(path, OPENING).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def has_root(text: str, tag: str) -> bool:
    """Whether XML that begins with `text` has a root element called `tag`, or a document type of
    this name: such a file is recognised, so that it is refused by name when it is read."""
    plain = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).lstrip("\ufeff \t\r\n")
    root = rf"(?:<\?.*?\?>\s*)*<(?:!DOCTYPE\s+)?{tag}[\s/>\[]"
    return re.match(root, plain, re.DOTALL) is not None


def read_xml(path: Path, tag: str, title: str) -> Element:
    """Read an XML file and return its root element, which is called `tag`.

    Raises KnownError if it is damaged, has a document type (the place of entities), or is not a
    file of the format called `title`.
    """
    data = read_regular(path)
    with parsing(path):
        root = parse_xml(data)
    if root.tag != tag:
        raise not_of_format(path, title)
    return root


def refuse_document_type(*_declaration: str | int | None) -> None:
    """Raise ValueError: a document type may define entities, or lie in another file."""
    raise ValueError(Message("it has a document type, which may contain harmful entities"))


class _WithoutDocumentType(TreeBuilder):
    """Builds the elements of documents that declare nothing."""

    doctype = staticmethod(refuse_document_type)


def parse_xml(data: bytes) -> Element:
    """Root element of an XML document. Raises ValueError for a document type, ParseError."""
    parser = XMLParser(target=_WithoutDocumentType())  # noqa: S314 (entities are refused)
    parser.feed(data)
    root: Element = parser.close()
    return root


def text_of(element: Element, path: str) -> str:
    """The text of a child, without spaces around it; "" if there is none."""
    return (element.findtext(path) or "").strip()


def add(parent: Element, tag: str, text: Any = "", **attributes: Any) -> Element:
    """Append a child with a text and attributes; characters that XML does not allow are left
    out."""
    child = Element(tag, {name: legal(str(value)) for name, value in attributes.items()})
    child.text = legal(str(text)) or None
    parent.append(child)
    return child


def legal(text: str) -> str:
    """A text without the characters that XML does not allow."""
    return _NOT_ALLOWED.sub("", text)


def write_xml(path: Path, root: Element) -> None:
    """Write an XML file in UTF-8 atomically. Raises OSError."""
    indent(root)
    with replacing(path, flush=False) as part:
        ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
