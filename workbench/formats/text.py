"""Decoding of text files: Unicode where the bytes show it, else the likeliest of older encodings.

Bytes do not name an older encoding, and lists of images are too short for statistics of whole
texts. Each candidate is therefore rated by how usual its characters are in the languages that it
was made for, and how they stand beside each other: "ä" between Latin letters is usual, the rare
ideograph that the same two bytes are in Big5 is not. Whatever is chosen is a guess, which the user
confirms. Encodings that are not among the candidates are left to charset-normalizer.
"""

from __future__ import annotations

import codecs
import io
import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workbench.domain.errors import KnownError
from workbench.domain.text import Message, mark
from workbench.files import read_regular

OPENING = 1 << 16  # bytes read to recognise a file
SAMPLE = 1 << 14  # bytes of lines with other characters than ASCII that an encoding is rated by
IMPLAUSIBLE = 7.0  # cost of a character above which a text has probably another encoding
_SURE = 4.5  # cost up to which an encoding is likelier than well-formed UTF-8 of odd words
PLAIN = 0.2  # least share of ASCII in UTF-16 without a mark: every path has some
DAMAGED = 0.1  # share of damaged characters up to which a text is UTF-8 with damaged lines

# The longer ones first: the mark of UTF-16 is the start of that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x19\x1b-\x1f]")  # a tab, line ends, DOS's file end
_ASCII = re.compile(rb"[\t\r\n -~]")
_SURROGATE = re.compile("[\udc80-\udcff]")  # a byte that is no text
_OTHER = re.compile(rb"[^\r\n]*[\x80-\xff][^\r\n]*")  # a line with other bytes than ASCII

# Patterns for which matching may take very long are not used: they come with a dataset.
_SLOW = re.compile(r"\)[*+{]|\\[1-9]|\(\?P?[=<!]")
_REPEATS = re.compile(r"[*+]|\{\d*,\}")
_MOST_REPEATS, _MOST_PATTERN, _MOST_MATCHED = 3, 200, 300


@dataclass(frozen=True)
class DecodedText:
    """The text of a file without its byte order mark, and its encoding; `guessed` if the bytes do
    not show it."""

    content: str
    encoding: str
    guessed: bool = False


def read_text(path: Path, encoding: str = "") -> DecodedText:
    """Read and decode a text file with rows, in `encoding` ("": detected); see `is_damaged`.

    Raises KnownError naming the file if it is unreadable, or not a text.
    """
    return decoded(path, read_regular(path), encoding, by_line=True)


def read_opening(path: Path, encoding: str = "") -> str:
    """The first lines of a text file, with line ends as they are; "" if it is not a text."""
    try:
        data = read_regular(path, OPENING)
        wide = data.count(0) > PLAIN * len(data)
        if len(data) == OPENING and not wide:  # the last line is cut, maybe in a character
            data = data[: max(data.rfind(b"\n"), data.rfind(b"\r"))]
        return decoded(path, data, encoding, by_line=True).content
    except KnownError:
        return ""


def text_lines(text: str) -> list[str]:
    """The lines of `text` with their ends: line feed, carriage return or both, as in files.

    Other separators that Unicode knows are part of a line, as they may be part of a name.
    """
    return list(io.StringIO(text, newline=""))


def is_damaged(text: str) -> bool:
    """Whether a part of the content of `read_text` has bytes that are not text. Other lines of the
    file are not affected."""
    return (not text.isascii() and _SURROGATE.search(text) is not None) or "\0" in text


def decoded(path: Path, data: bytes, encoding: str = "", by_line: bool = False) -> DecodedText:
    """Decode the bytes of `path` as `read_text`; with `by_line`, a few lines of UTF-8 may be
    damaged."""
    if encoding:
        return DecodedText(_strictly(path, data, _known(encoding)), encoding)
    for bom, name in _MARKS:
        if data.startswith(bom):
            return DecodedText(_strictly(path, data, name), name)
    if b"\0" in data and (found := _wide(data)):
        return found
    if b"\0" in data and not _has_damaged_lines(data):
        raise _no_text(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(path, data, by_line)
    plain = DecodedText(text, "utf-8")
    if "\x1b$" in text or _is_unicode_by_accident(text):
        return _decoded_as(("iso2022_jp", *_likely(data, _SURE)[:1]), data) or plain
    return plain


def matched(pattern: str, text: str) -> str:
    """The first group of a pattern that comes with a dataset, else its match, at the end of a long
    text; "" without a match. Raises ValueError for a pattern that is not valid, or for which
    matching may take very long."""
    slow = _SLOW.search(pattern) or len(_REPEATS.findall(pattern)) > _MOST_REPEATS
    if slow or len(pattern) > _MOST_PATTERN:
        raise ValueError(Message("the pattern {pattern} is too complex", pattern=pattern[:50]))
    try:
        found = re.search(pattern, text[-_MOST_MATCHED:])
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(Message("the pattern {pattern} is not valid", pattern=pattern)) from error
    return (found[1] if found.re.groups else found[0]) or "" if found else ""


def _known(encoding: str) -> str:
    """The name of an encoding as Python has it. Raises KnownError if there is none such."""
    try:
        "".encode(encoding)  # a LookupError also for codecs that are no encodings of text
        return codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise KnownError(
            "“{encoding}” is not the name of a character encoding.",
            "Use a name such as utf-8, cp1252, gb18030 or shift_jis.",
            encoding=encoding,
        ) from error


def _strictly(path: Path, data: bytes, encoding: str) -> str:
    """Decode `data` without its byte order mark. Raises KnownError with the line of the first
    character that the encoding does not have."""
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, "replace")
        raise KnownError(
            "{path} cannot be read as {encoding}: line {line} has other characters.",
            "Choose the encoding that the file was saved in, or save it again as UTF-8.",
            path=path,
            encoding=encoding.upper(),
            line=len(text_lines(before + ".")),
        ) from error


def _no_text(path: Path) -> KnownError:
    return KnownError(
        "{path} is not a text file.", mark("Choose a list file or a table."), path=path
    )


def _wide(data: bytes) -> DecodedText | None:
    """UTF-16 without a byte order mark, which has more zero bytes than other texts; None if it is
    not that."""
    found = []
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if all(map(_is_assigned, set(text))):
            plain = sum(character < "\x80" for character in text)
            found.append((plain, DecodedText(text, encoding, guessed=True)))
    plain, best = max(found, key=lambda one: one[0], default=(0, DecodedText("", "")))
    if not plain or plain < PLAIN * len(best.content):
        return None
    return best


def _has_damaged_lines(data: bytes) -> bool:
    """Whether zero bytes are in few lines of a text, so that the others can be read."""
    lines = re.split(rb"\r\n|\r|\n", data.strip(b"\r\n"))
    damaged = sum(b"\0" in line for line in lines)
    few = damaged < len(lines) and damaged <= max(1, DAMAGED * len(lines))
    return few and b"\x1a" not in data


def _is_assigned(character: str) -> bool:
    return character in "\t\r\n" or unicodedata.category(character) not in ("Cc", "Cn", "Co")


def _guessed(path: Path, data: bytes, by_line: bool) -> DecodedText:
    """The likeliest encoding of a text that is not Unicode, or only without damaged lines."""
    if _CONTROL.search(data.replace(b"\0", b"")) or not _ASCII.search(data):
        raise _no_text(path)
    if _is_damaged_unicode(data):
        if by_line:
            return DecodedText(data.decode("utf-8", "surrogateescape"), "utf-8")
        return DecodedText(_strictly(path, data, "utf-8"), "utf-8")
    likely = _likely(data, IMPLAUSIBLE)
    if not likely:
        from charset_normalizer import from_bytes  # slow to import, and seldom needed

        best = from_bytes(data).best()
        likely = [best.encoding] if best is not None and best.alphabets else []
    if found := _decoded_as(likely, data):
        return found
    raise _no_text(path)


def _decoded_as(encodings: Iterable[str], data: bytes) -> DecodedText | None:
    """The text in the first of some encodings that has all its characters."""
    for name in encodings:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\x1b" not in text:
            return DecodedText(text, name, guessed=True)
    return None


def _likely(data: bytes, most: float) -> list[str]:
    """The candidates in which the characters of a text cost at most `most`, the likeliest first."""
    sample = _sample(data)
    costs = {name: _cost(sample, name) for name in _CANDIDATES} if sample else {}
    return [name for name in sorted(costs, key=costs.__getitem__) if costs[name] <= most]


def _sample(data: bytes) -> bytes:
    """The first lines that have other characters than ASCII."""
    lines = b"\n".join(_OTHER.findall(data))
    end = lines.rfind(b"\n", 0, SAMPLE) if len(lines) > SAMPLE else -1
    return lines if end < 0 else lines[:end]


def _is_unicode_by_accident(text: str) -> bool:
    """Whether a text that is well-formed UTF-8 is none.

    So are some ideographs of two bytes. They become letters of the first alphabets of Unicode, a
    word of which has letters of three alphabets side by side.
    """
    if text.isascii() or max(text) >= "\u0800":
        return False
    words = re.findall(r"[^\W\x00-\x7f_]{3,}", text)
    return any(len({unicodedata.name(one, "?").split()[0] for one in word}) > 2 for word in words)


def _is_damaged_unicode(data: bytes) -> bool:
    """Whether nearly all characters other than ASCII are well-formed UTF-8, or most lines with such
    characters, as if files of two encodings were joined."""
    text = data.decode("utf-8", "replace")
    others = sum(character > "\x7f" for character in text)
    if text.count("\ufffd") <= DAMAGED * others:
        return True
    lines = [line.decode("utf-8", "replace") for line in _OTHER.findall(data)]
    right = sum("\ufffd" not in line and not _is_unicode_by_accident(line) for line in lines)
    return 2 * right > len(lines)


# How usual characters are. The cost of a character is about the negative logarithm of how often it
# is seen among the characters of such texts that are not ASCII.

_LETTER, _IDEOGRAPH, _PUNCTUATION, _RARE = 3.6, 7.0, 5.5, 9.5
_UNLIKELY = 6.0  # more cost of a character that stands where it does not belong
_QUOTES = "’‘“”„‚–—…«»°·­ \xa0"


@dataclass(frozen=True)
class _Candidate:
    """An encoding: the cost of each character ("" for those that are rare), how much less usual it
    is than others, and whether its letters stand in words with Latin ones."""

    character_cost: Callable[[str], float | None]
    handicap: float = 0.0
    latin: bool = True


def _cost(sample: bytes, encoding: str) -> float:
    """Cost of the characters of `sample` in an encoding, per byte that is not ASCII; infinite if
    the encoding does not have them."""
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return math.inf
    candidate = _CANDIDATES[encoding]
    total, before, last = candidate.handicap, "\n", "\n"
    for character, after in zip(text, f"{text[1:]}\n", strict=True):
        if character > "\x7f":
            usual = candidate.character_cost(character)
            total += _RARE if usual is None else usual
            total += _misplaced(before, last, character, after, candidate.latin)
        before, last = last, character
    return total / sum(byte > 0x7F for byte in sample)


def _misplaced(before: str, last: str, character: str, after: str, latin: bool) -> float:
    """What a character costs more because of its neighbours: the last two, and the next."""
    cost = 0.0
    if before == last == character:
        cost += _UNLIKELY
    if not character.isalpha():
        if last.isalpha() and after.isalpha() and character not in "’·­":
            cost += _UNLIKELY
        return cost
    if character.isupper() and last.isalpha() and (last.islower() or after.islower()):
        cost += _UNLIKELY
    beside = [one for one in (last, after) if one.isalpha()]
    if latin:
        return cost + 1.0 * sum(one > "\x7f" for one in beside)
    return cost + _UNLIKELY * any(one < "\x80" for one in beside)


def _letters(usual: str, less_usual: str = "") -> Callable[[str], float | None]:
    """Costs of the letters of an alphabet; capitals are less usual."""
    costs = {**dict.fromkeys(_QUOTES, _PUNCTUATION), "’": _LETTER + 0.9}
    for letters, cost in ((less_usual, _LETTER + 1), (usual, _LETTER)):
        costs |= dict.fromkeys(letters.upper(), cost + 0.6)
        costs |= dict.fromkeys(letters, cost)
    return costs.get


def _rows(encoding: str, first: int, last: int, trails: range = range(0xA1, 0xFF)) -> str:
    """The characters of rows of a character set, which are sorted by how usual they are."""
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in trails)
    return "".join(pair.decode(encoding, "ignore") for pair in pairs)


_EAST = "　、。・「」（）ー，：；！？《》“”"


@cache
def _ideographs(encoding: str) -> dict[str, float]:
    """Costs of the ideographs in everyday use, and of kana in Japanese ones."""
    costs = dict.fromkeys(_EAST, _PUNCTUATION)
    if encoding == "gb2312":
        return costs | dict.fromkeys(_rows("gb2312", 0xB0, 0xD7), _IDEOGRAPH)
    if encoding == "big5":
        trails = range(0x40, 0xFF)
        return costs | dict.fromkeys(_rows("big5", 0xA4, 0xC6, trails), _IDEOGRAPH + 0.3)
    costs |= dict.fromkeys(_rows("euc_jp", 0xB0, 0xCF), _IDEOGRAPH)
    return costs | dict.fromkeys(map(chr, range(0x3041, 0x30FB)), 4.5)


# By their places in Unicode's order of initial consonants, vowels and final consonants.
_INITIALS = (
    *(2.0, 4.5, 2.6, 2.7, 4.5, 2.6, 2.7, 2.8, 5.0, 2.3),
    *(5.0, 1.8, 2.4, 5.0, 3.8, 4.3, 3.7, 4.0, 2.9),
)
_VOWELS = {
    **{0: 1.6, 1: 2.8, 4: 2.3, 5: 3.0, 6: 3.0, 8: 2.2},
    **{9: 3.9, 12: 4.3, 13: 2.4, 17: 4.2, 18: 2.4, 20: 1.8},
}
_FINALS = {0: 0.7, 1: 2.8, 4: 2.1, 8: 2.4, 16: 3.0, 17: 3.9, 19: 3.9, 21: 2.5}


def _hangul(character: str) -> float | None:
    """Cost of a Korean syllable by its initial, vowel and final consonant."""
    at = ord(character) - 0xAC00
    if not 0 <= at < 19 * 21 * 28:
        return _PUNCTUATION if character in _EAST else None
    initial, rest = divmod(at, 21 * 28)
    vowel, final = divmod(rest, 28)
    return _INITIALS[initial] + _VOWELS.get(vowel, 5.0) + _FINALS.get(final, 6.0)


_CYRILLIC = ("оеаинтсрвлкмдпу", "бгжзйфхцчшщъыьэюяё")
_CANDIDATES: dict[str, _Candidate] = {
    "cp1252": _Candidate(_letters("äöüßéèêëàâçñóíúáîïôûœæøåãõìòù")),
    "cp1250": _Candidate(_letters("ąćęłńóśźżáčďéěíňřšťúůýžäöüőűßăâîşţ"), 4.0),
    "cp1254": _Candidate(_letters("çğıöşüâîİ"), 4.0),
    "mac_roman": _Candidate(_letters("äöüßéèêëàâçñóíúáîïôûœæøåãõìòù"), 3.0),
    "cp850": _Candidate(_letters("äöüßéèêëàâçñóíúáîïôûæøåãõìòù"), 3.0),
    "cp1251": _Candidate(_letters(*_CYRILLIC), latin=False),
    "koi8_r": _Candidate(_letters(*_CYRILLIC), 6.0, latin=False),
    "cp1253": _Candidate(_letters("αοιετσνηυρπκμλς", "βγδζθξφχψωάέήίόύώ"), 3.0, latin=False),
    "cp1255": _Candidate(_letters("יוהלארתבשמנ", "גדזחטךכםןסעףפץצק"), 3.0, latin=False),
    "gb18030": _Candidate(lambda one: _ideographs("gb2312").get(one), latin=False),
    "big5": _Candidate(lambda one: _ideographs("big5").get(one), 0.5, latin=False),
    "cp932": _Candidate(lambda one: _ideographs("euc_jp").get(one), latin=False),
    "euc_jp": _Candidate(lambda one: _ideographs("euc_jp").get(one), 4.0, latin=False),
    "cp949": _Candidate(_hangul, latin=False),
}
