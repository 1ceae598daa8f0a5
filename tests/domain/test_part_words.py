"""Words that stand for parts of a split, alone and beside each other."""

import pytest

from workbench.domain.part_words import PartWords, is_unclear, part_in_name, part_named
from workbench.domain.splits import Part

TRAIN, VALIDATION, TEST = Part.TRAIN, Part.VALIDATION, Part.TEST


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (TRAIN, ("train_set", "TrainSet", "train2017", "training-data", "seen train")),
        (VALIDATION, ("val_set", "validate", "Development", "devset", "valid_images")),
        (TEST, ("test_set", "test_seen", "test-unseen", "PrivateTest", "test1", "TESTSET")),
        (None, ("trainval", "train_val", "eval", "train-test", "evaltest")),
        (None, ("train station", "test tube", "val d'or", "contest", "set", "7")),
    ],
)  # fmt: skip
def test_words_around_a_part_change_nothing(part: Part | None, words: tuple[str, ...]) -> None:
    assert {word: part_named(word) for word in words} == dict.fromkeys(words, part)


def test_words_that_may_mean_several_parts_are_unclear() -> None:
    unclear = ("trainval", "Train_Val", "eval", "Evaluation", "train-test", "TrainValTest")
    assert all(map(is_unclear, unclear))
    assert not any(map(is_unclear, ("train", "test_set", "extra", "train station", "", "1")))


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("train", "dev", "eval"), {"dev": VALIDATION, "eval": TEST}),
        (("train", "evaluation", "test"), {"evaluation": VALIDATION, "test": TEST}),
        (("train", "eval"), {"eval": None}),
        (("train", "val", "eval", "test"), {"eval": None}),
        (("Training", "PublicTest", "PrivateTest"), {"PublicTest": VALIDATION}),
        (("train", "val", "PublicTest", "PrivateTest"), {"PublicTest": TEST, "PrivateTest": TEST}),
        (("Training", "PublicTest"), {"PublicTest": TEST}),
        (("trainval", "test"), {"trainval": None, "test": TEST}),
    ],
)  # fmt: skip
def test_the_words_beside_it_decide_what_a_word_means(
    words: tuple[str, ...], parts: dict[str, Part | None]
) -> None:
    found = PartWords(words)
    assert {word: found.part(word) for word in parts} == parts


@pytest.mark.parametrize(
    ("words", "reported"),
    [
        (("train", "val", "test", "Train"), {}),
        (("train_set", "val_set", "test_set"), {}),
        (("train", "test_seen", "test_unseen"), {"test_seen": TEST, "test_unseen": TEST}),
        (("train", "val", "dev"), {"val": VALIDATION, "dev": VALIDATION}),
        (("trainval", "test"), {"trainval": None}),
        (("train", "dev", "eval"), {"eval": TEST}),
        (("Training", "PublicTest", "PrivateTest"), {"PublicTest": VALIDATION}),
    ],
)
def test_what_is_not_plain_is_reported(
    words: tuple[str, ...], reported: dict[str, Part | None]
) -> None:
    assert PartWords(words).to_report() == reported


def test_a_choice_takes_precedence_and_is_not_reported() -> None:
    given = {"trainval": TRAIN, "extra": None, "test_seen": VALIDATION}
    found = PartWords(["TrainVal", "extra", "test_seen", "test_unseen", "holdout"], given)
    assert [found.part(word) for word in ("trainval", "extra", "test_seen")] == [
        TRAIN, None, VALIDATION,
    ]  # fmt: skip
    assert found.to_report() == {}
    assert found.others() == ["holdout"]


def test_the_name_of_a_file_follows_a_choice() -> None:
    assert part_in_name("birds_eval") is None
    assert part_in_name("birds_eval", {"eval": TEST}) is TEST
    assert part_in_name("birds_trainset") is TRAIN
