"""Augmentation: deterministic, and equal on both code paths."""

import numpy as np
import torch

from tests.fixtures.run_folders import TINY, draw
from workbench.domain.recipes import complete
from workbench.learning.images.augment import Augmenter, Views, draw_views

HALF = (0.5, 0.5, 0.5)
SQUARES = torch.stack([torch.from_numpy(np.array(draw(at % 3, at, 64))) for at in range(6)])
ROWS = np.arange(6)


def recipe(**settings: object):
    return complete({**TINY, "image_size": 64, "rotation": 0.0, **settings}, {})


def still(count: int, **changed: np.ndarray) -> Views:
    """Views that show every image as it is."""
    plain = {
        "boxes": np.tile(np.array([0.5, 0.5, 1, 1], np.float32), (count, 1)),
        "flips": np.zeros(count, bool),
        "angles": np.zeros(count, np.float32),
        "gains": np.ones(count, np.float32),
        "contrasts": np.ones(count, np.float32),
    }
    return Views(**{**plain, **changed})


def augmenter(turned: bool, **settings: object) -> Augmenter:
    made = Augmenter(recipe(**settings), HALF, HALF, torch.device("cpu"))
    made.turned = turned
    return made


def as_floats(squares: torch.Tensor) -> torch.Tensor:
    return squares.permute(0, 3, 1, 2).float() / 127.5 - 1


def test_untouched_images_come_through_both_ways() -> None:
    for turned in (False, True):
        shown = augmenter(turned)(SQUARES, ROWS, still(6))
        torch.testing.assert_close(shown, as_floats(SQUARES), atol=1e-3, rtol=0)
        assert shown.is_contiguous(memory_format=torch.channels_last)


def test_flip_mirrors_left_and_right() -> None:
    flips = np.array([True, False] * 3)
    for turned in (False, True):
        shown = augmenter(turned)(SQUARES, ROWS, still(6, flips=flips))
        torch.testing.assert_close(shown[0], as_floats(SQUARES)[0].flip(2), atol=1e-3, rtol=0)
        torch.testing.assert_close(shown[1], as_floats(SQUARES)[1], atol=1e-3, rtol=0)


def test_both_ways_crop_the_same_part() -> None:
    boxes = np.tile(np.array([0.375, 0.5, 0.5, 0.75], np.float32), (6, 1))
    smooth = SQUARES.float().permute(0, 3, 1, 2)
    smooth = torch.nn.functional.avg_pool2d(smooth, 9, 1, 4).permute(0, 2, 3, 1).to(torch.uint8)
    views = still(6, boxes=boxes, flips=np.array([True] * 6))
    a = augmenter(False)(smooth, ROWS, views)
    b = augmenter(True)(smooth, ROWS, views)
    assert (a - b).abs().mean() < 0.02


def test_a_quarter_turn_rotates_the_image() -> None:
    angles = np.full(6, np.pi / 2, np.float32)
    shown = augmenter(True)(SQUARES, ROWS, still(6, angles=angles))
    turned = [torch.rot90(as_floats(SQUARES)[0], k, (1, 2)) for k in (1, 3)]
    assert min((shown[0] - t).abs().max() for t in turned) < 2e-3


def test_brightness_and_contrast_follow_their_formulas() -> None:
    gains = np.full(6, 1.2, np.float32)
    shown = augmenter(False)(SQUARES, ROWS, still(6, gains=gains))
    torch.testing.assert_close(shown + 1, (as_floats(SQUARES) + 1) * 1.2, atol=1e-3, rtol=0)
    contrasts = np.full(6, 0.5, np.float32)
    shown = augmenter(False, contrast=0.5)(SQUARES, ROWS, still(6, contrasts=contrasts))
    plain = as_floats(SQUARES)
    mean = plain.mean(dim=(1, 2, 3), keepdim=True)
    torch.testing.assert_close(shown, (plain - mean) * 0.5 + mean, atol=1e-3, rtol=0)


def test_an_image_is_shown_the_same_whatever_batch_it_is_in() -> None:
    for turned in (False, True):
        chosen = recipe(rotation=20.0 if turned else 0.0, crop_scale=0.4)
        made = Augmenter(chosen, HALF, HALF, torch.device("cpu"))
        views = draw_views(chosen, 6, 4)
        whole = made(SQUARES, ROWS, views)
        alone = made(SQUARES, np.array([4]), views)
        assert torch.equal(whole[4], alone[0])


def test_views_follow_from_seed_and_epoch_and_stay_in_bounds() -> None:
    chosen = recipe(crop_scale=0.3, brightness=0.2)
    first, again = draw_views(chosen, 500, 1), draw_views(chosen, 500, 1)
    other = draw_views(chosen, 500, 2)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.boxes, other.boxes)
    centres, sides = first.boxes[:, :2], first.boxes[:, 2:]
    assert (centres - sides / 2 >= -1e-6).all()
    assert (centres + sides / 2 <= 1 + 1e-6).all()
    areas = sides.prod(axis=1)
    assert areas.min() >= 0.25
    shapes = sides[:, 0] / sides[:, 1]
    np.testing.assert_allclose([shapes.min(), shapes.max()], [3 / 4, 4 / 3], rtol=0.02)
    assert 0.4 < first.flips.mean() < 0.6
    assert abs(first.gains - 1).max() <= 0.2
    assert not draw_views(recipe(flip=False), 500, 1).flips.any()
