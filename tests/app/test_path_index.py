"""Which file a written path means."""

import pytest

from workbench.app.labels.path_index import LooseMatches, PathIndex
from workbench.domain.import_reports import DecisionKind

KNOWN = (
    "/data/birds/owl/1.jpg",
    "/data/birds/auk/1.jpg",
    "/data/birds/owl/left side/2.JPG",
    "D:\\photos\\jay\\3.png",
    "/data/birds/raw/4.tif",
    "/data/birds/web/4.png",
    "/data/birds/.hidden",
)
INDEX = PathIndex((path, at) for at, path in enumerate(KNOWN))


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("/data/birds/owl/1.jpg", [0]),
        ("owl/1.jpg", [0]),
        ("./owl/1.jpg", [0]),
        ("owl//1.jpg", [0]),
        ("owl\\1.jpg", [0]),
        ("1.jpg", [0, 1]),
        ("wl/1.jpg", []),  # whole names only
        ("jay/1.jpg", []),  # a relative path says which folder
        ("left side/2.JPG", [2]),
        ("2.jpg", []),
        ("jay/3.png", [3]),
        ("C:/old/jay/3.png", [3]),
        ("/mnt/birds/auk/1.jpg", [1]),
        ("/mnt/elsewhere/1.jpg", [0, 1]),
        ("//server/share/owl/1.jpg", [0]),
        ("left side/2", [2]),
        ("2", [2]),
        ("4", [4, 5]),
        ("web/4", [5]),
        ("images/owl/1.jpg", [0]),
        ("data/images/owl/1.jpg", [0]),
        ("JPEGImages/owl/left side/2", [2]),
        ("images/1.jpg", [0, 1]),  # as "1.jpg"
        ("images/jay/1.jpg", []),
        ("/images/birds/1.jpg", [0, 1]),
        ("photographs/owl/1.jpg", []),
        ("images", []),
        ("gone", []),
        ("", []),
    ],
)
def test_a_written_path_means_what_it_ends(written, found):
    assert INDEX.find(written) == found


def test_files_of_one_image_are_one():
    index = PathIndex([("/a/x/1.jpg", 7), ("/b/x/1.jpg", 7)])
    assert index.find("1.jpg") == [7]


def test_a_relative_path_is_first_one_from_a_source():
    known = ("/data/1.jpg", "/data/a/1.jpg", "/other/a/b/1.jpg", "/other/1.png", "/data/img/2.jpg")
    index = PathIndex(((path, at) for at, path in enumerate(known)), ("/data/", "C:\\x"))
    assert index.find("1.jpg") == [0]
    assert index.find("images/1.jpg") == [0]
    assert index.find("a/1.jpg") == [1]
    assert index.find("b/1.jpg") == [2]
    assert index.find("img/2.jpg") == [4]
    both = PathIndex(((path, at) for at, path in enumerate(known)), ("/data", "/other", "/none"))
    assert both.find("1.jpg") == [0]
    assert both.find("1") == [0, 1, 2, 3]


def test_a_relative_path_from_two_sources_is_ambiguous():
    index = PathIndex([("/a/1.jpg", 1), ("/b/1.jpg", 2)], ("/a", "/b"))
    assert index.find("images/1.jpg") == [1, 2]


def test_decomposed_characters_are_those_that_are_composed():
    index = PathIndex([("x/Ha\u0308her.png", 1), ("y/Möwe.png", 2), ("y/Mo\u0308we.png", 3)])
    assert index.find("x/Häher.png") == [1]
    assert index.find("Häher") == [1]
    assert index.find("Möwe.png") == [2]
    assert index.find("Mo\u0308we.png") == [3]
    assert index.find("M\u00f6we.jpg") == []
    both = PathIndex([("a/Mo\u0308\u0323we.png", 1), ("a/Mo\u0323\u0308we.png", 2)])
    assert both.find("M\u1ecd\u0308we.png") == [1, 2]


def loose(*pairs):
    """The kinds and numbers of what is reported of written paths and their files."""
    matches = LooseMatches()
    for written, found in pairs:
        matches.add(written, found)
    return {(one.kind, one.value.values["n"]) for one in matches.decisions("list.csv")}


@pytest.mark.parametrize(
    ("written", "found", "kind"),
    [
        ("/data/r/train/b.jpg", "/data/r/train/b.jpg", None),
        ("train/b.jpg", "/data/r/train/b.jpg", None),
        ("./train/b", "/data/r/train/b.jpg", None),
        ("b.jpg", "/data/r/train/b.jpg", DecisionKind.PATHS),
        ("images/train/b.jpg", "/data/r/train/b.jpg", DecisionKind.PATHS),
        ("images/b.jpg", "/data/r/train/b.jpg", DecisionKind.PATHS),
        ("C:\\old\\train\\b.jpg", "/data/r/train/b.jpg", DecisionKind.PATHS),
        ("/data/test/b.jpg", "/data/r/train/b.jpg", DecisionKind.OTHER_FOLDERS),
        ("C:\\other\\season2\\c.jpg", "D:\\r\\x\\c.jpg", DecisionKind.OTHER_FOLDERS),
        ("/x/Mo\u0308we/b.jpg", "/data/M\u00f6we/b.jpg", DecisionKind.PATHS),
    ],
)
def test_a_match_that_ignores_written_folders_is_reported(written, found, kind):
    assert loose((written, found)) == ({(kind, 1)} if kind else set())


def test_loose_matches_are_counted_with_a_few_samples():
    matches = LooseMatches()
    for at in range(5):
        matches.add(f"/old/{at}.jpg", f"/new/{at}.jpg")
    (one,) = matches.decisions("list.csv")
    assert (one.about, one.value.values["n"]) == ("list.csv", 5)
    assert str(one.value).endswith(
        "/old/0.jpg → /new/0.jpg, /old/1.jpg → /new/1.jpg, /old/2.jpg → /new/2.jpg, …"
    )
