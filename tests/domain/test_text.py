"""Texts: translated where they are shown, with their values and plurals, also from elsewhere."""

import json
import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest

from workbench.domain.errors import KnownError, ValueRefused
from workbench.domain.reports import ErrorReport, Note, decode_report, encode_report
from workbench.domain.text import (
    Message,
    counted,
    from_stored,
    mark,
    plural,
    stored,
    tr,
    use_language,
)

GERMAN = {
    ("Train", ""): "Trainieren",
    ("Open", "state"): "Geöffnet",
    ("Open", ""): "Öffnen",
    ("{path} cannot be read: {reason}.", ""): "{reason}: {path} ist nicht lesbar.",
    ("no such file", ""): "keine solche Datei",
    ("{n:,} images of {name}", 1): "ein Bild von {name}",
    ("{n:,} images of {name}", 5): "{n:,} Bilder von {name}",
}


@pytest.fixture
def german():
    """A language with a few texts; what it lacks stays as it is."""
    use_language(lambda text, comment, n: GERMAN.get((text, comment if n < 0 else n), text))
    yield
    use_language(None)


def test_without_a_language_texts_are_english():
    assert tr("Train") == "Train"
    assert tr(Message("{path} cannot be read.", path="a.png")) == "a.png cannot be read."
    assert plural(1, "{n:,} image", "{n:,} images") == "1 image"
    assert plural(0, "{n:,} image", "{n:,} images") == "0 images"
    assert plural(1234, "{n:,} image of {name}", "{n:,} images of {name}", name="cats") == (
        "1,234 images of cats"
    )


def test_texts_are_translated_where_they_are_shown(german):
    assert tr(mark("Train")) == "Trainieren"
    assert (tr("Open"), tr("Open", "state")) == ("Öffnen", "Geöffnet")
    assert tr("Nowhere translated") == "Nowhere translated"
    assert tr("") == ""


def test_a_message_is_translated_with_its_values(german):
    reason = Message("no such file")
    error = KnownError("{path} cannot be read: {reason}.", "Train", path="x.jpg", reason=reason)
    assert str(error) == "x.jpg cannot be read: no such file. Train"
    assert tr(error.sentence) == "keine solche Datei: x.jpg ist nicht lesbar."
    assert tr(error.message) == "keine solche Datei: x.jpg ist nicht lesbar. Trainieren"


def test_plurals_use_the_forms_of_the_language(german):
    def images(n):
        return plural(n, "{n:,} image of {name}", "{n:,} images of {name}", name="x")

    assert (images(1), images(5)) == ("ein Bild von x", "5 Bilder von x")
    assert images(3) == "3 images of x"  # not translated
    assert tr(counted(1, "{n:,} image of {name}", "{n:,} images of {name}", name="y")) == (
        "ein Bild von y"
    )
    assert plural(1, "{n:,} run", "{n:,} runs") == "1 run"  # not translated


def test_a_message_of_a_message_is_the_same_one(german):
    message = Message("{path} cannot be read: {reason}.", path="a", reason="x")
    assert Message(message) is message
    assert tr(Message(message)) == "x: a ist nicht lesbar."


def test_one_thing_is_counted_in_the_singular():
    found = [counted(n, "{n:,} image", "{n:,} images") for n in (0, 1, 2)]
    assert found == ["0 images", "1 image", "2 images"]


def test_a_translation_with_other_names_does_not_fail():
    use_language(lambda text, comment, n: "{missing} {0} {")
    try:
        assert tr(Message("{path} is damaged.", path="x")) == "x is damaged."
        assert plural(2, "{n:,} image", "{n:,} images") == "2 images"
        assert tr(counted(1, "{n:,} image", "{n:,} images")) == "1 image"
    finally:
        use_language(None)


def test_braces_without_values_are_text():
    assert Message("a {b} c") == "a {b} c"
    assert KnownError("{not a value}").sentence == "{not a value}"
    assert Message("{name}", name="{x}") == "{x}"


def test_values_are_filled_in_later_by_name():
    later = Message("{done} of {total}").format(done=1, total=3)
    assert (later, later.template, dict(later.values)) == (
        "1 of 3",
        "{done} of {total}",
        {"done": 1, "total": 3},
    )
    with pytest.raises(TypeError, match="have names"):
        Message("{0}").format(1)
    with pytest.raises(KeyError):
        Message("{done} of {total}", done=1)


MESSAGES = [
    Message("plain"),
    Message("{path} has {n} rows.", path=Path("x.csv"), n=3),
    Message("{share:.0%} of {n}", share=np.float64(0.5), n=np.int64(7)),
    Message("{share:.0%}", share=np.float32(0.25)),
    Message("{share:.1%} of {inner}", share=0.5, inner=Message("{a}", a="b")),
    counted(1, "{n:,} image", "{n:,} images"),
    counted(2000, "{n:,} image in {place}", "{n:,} images in {place}", place=Message("here")),
]


@pytest.mark.parametrize("message", MESSAGES, ids=str)
def test_a_message_passes_processes_reports_and_columns_whole(message):
    through = [
        pickle.loads(pickle.dumps(message)),
        decode_report(encode_report(Note(text=message))).text,
        from_stored(stored(message)),
    ]
    for other in through:
        assert (other, other.template, other.one) == (message, message.template, message.one)
        assert {k: str(v) for k, v in other.values.items()} == {
            k: str(v) for k, v in message.values.items()
        }


def test_translation_survives_the_way_from_another_process(german):
    reason = Message("no such file")
    error = KnownError("{path} cannot be read: {reason}.", path=Path("x.jpg"), reason=reason)
    broken = decode_report(encode_report(ErrorReport(sentence=error.sentence)))
    assert tr(broken.sentence) == "keine solche Datei: x.jpg ist nicht lesbar."


def test_reports_and_columns_of_earlier_versions_are_plain_text():
    assert decode_report(b'{"report":"note","text":"Skipped: x"}') == Note(
        text=Message("Skipped: x")
    )
    assert from_stored("Label 3 images left") == "Label 3 images left"
    assert from_stored('{"template": broken') == '{"template": broken'
    assert json.loads(encode_report(Note(text=Message("plain"))))["text"] == "plain"


@pytest.mark.parametrize("text", [b"3", b"{}", b'{"template":"x"}', b"[]"])
def test_what_is_no_message_is_refused(text):
    with pytest.raises(msgspec.ValidationError):
        decode_report(b'{"report":"note","text":' + text + b"}")


def test_a_refused_value_names_key_value_and_what_is_allowed():
    error = ValueRefused("epochs", -1, "a number from 1 to 1,000")
    assert "epochs" in error.sentence
    assert "“-1”" in error.sentence
    assert "a number from 1 to 1,000" in error.remedy


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "“true”"),
        (["a", 2], "“a, 2”"),
        ({"rate": 2, "frozen": False}, "“rate = 2, frozen = false”"),
        ("", "No stages is given"),
    ],
)
def test_a_refused_value_is_shown_as_a_user_writes_it(value, shown):
    assert shown in ValueRefused("stages", value, "a table").sentence


def test_an_error_with_messages_leaves_their_braces_alone(german):
    allowed = ValueRefused("start", "x", Message("no such file")).remedy
    error = KnownError("{path} is wrong.", Message("Rename {it}.", it="{path}"), path="a.toml")
    assert error.message == "a.toml is wrong. Rename {path}."
    assert tr(allowed) == "Allowed: keine solche Datei."
