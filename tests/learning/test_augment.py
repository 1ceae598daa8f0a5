"""Augmentation: deterministic, and equal on both code paths."""

import numpy as np
import torch

from tests.fixtures.run_folders import TINY, draw
from workbench.domain.recipes import complete
from workbench.learning.images.augment import (
    LABELLED,
    UNLABELLED,
    Augmenter,
    Views,
    affine,
    draw_views,
    joined,
)
from workbench.vision.reading import resize_into

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


def test_views_are_drawn_by_their_formulas() -> None:
    chosen = recipe(crop_scale=0.3, rotation=15.0, brightness=0.2, contrast=0.4, seed=5)
    for stream in (LABELLED, UNLABELLED):
        seeds = np.random.SeedSequence([5, 7, stream])
        u = np.random.Generator(np.random.Philox(seeds)).random((40, 8), dtype=np.float32)
        views = draw_views(chosen, 40, 7, stream)
        area, shape = 0.3 + 0.7 * u[:, 0], np.exp((2 * u[:, 1] - 1) * np.log(4 / 3) / 2)
        wide, high = np.sqrt(area) * shape, np.sqrt(area) / shape
        sides = np.minimum(np.stack((wide, high), 1), 1)
        np.testing.assert_allclose(views.boxes[:, 2:], sides, rtol=1e-5)
        left_top = views.boxes[:, :2] - sides / 2
        np.testing.assert_allclose(left_top, (1 - sides) * u[:, 2:4], atol=1e-5)
        np.testing.assert_array_equal(views.flips, u[:, 4] < 0.5)
        np.testing.assert_allclose(views.angles, np.radians(30 * (u[:, 5] - 0.5)), atol=1e-5)
        np.testing.assert_allclose(views.gains, 1 + 0.4 * (u[:, 6] - 0.5), rtol=1e-5)
        np.testing.assert_allclose(views.contrasts, 1 + 0.8 * (u[:, 7] - 0.5), rtol=1e-5)


def test_whole_images_keep_their_shape() -> None:
    views = draw_views(recipe(crop_scale=1.0), 50, 1)
    np.testing.assert_array_equal(views.boxes, np.tile([0.5, 0.5, 1, 1], (50, 1)))


def test_views_are_joined_in_their_order() -> None:
    first, second = draw_views(recipe(), 2, 1), draw_views(recipe(), 3, 2)
    both = joined([first, second])
    np.testing.assert_array_equal(both.boxes, np.concatenate((first.boxes, second.boxes)))
    np.testing.assert_array_equal(both.gains[2:], second.gains)


def test_crops_are_cut_at_whole_pixels_inside_the_image() -> None:
    boxes = np.array(
        [
            [0.5, 0.5, 0.5, 0.5],
            [0.25, 0.75, 0.5, 0.5],
            [0.5, 0.5, 0.001, 0.001],
            [0.5, 0.5, 0.26, 0.26],
            [0.5, 0.5, 1.0, 0.5],
            [0.5, 0.5, 1.0, 1.0],
        ],
        np.float32,
    )
    parts = [
        (slice(16, 48), slice(16, 48)),
        (slice(32, 64), slice(0, 32)),
        (slice(32, 33), slice(32, 33)),
        (slice(24, 40), slice(24, 40)),
        (slice(16, 48), slice(0, 64)),
        (slice(0, 64), slice(0, 64)),
    ]
    made = augmenter(False)
    shown = made._resized(SQUARES, ROWS, still(6, boxes=boxes), ROWS).numpy()
    for at, part in enumerate(parts):
        expected = np.empty((64, 64, 3), np.uint8)
        resize_into(expected, SQUARES[at].numpy()[part], False)
        np.testing.assert_array_equal(shown[at], expected)


def test_rows_of_views_may_differ_from_those_of_images() -> None:
    flips = np.array([True, False])
    shown = augmenter(False)(SQUARES, np.array([3, 4]), still(2, flips=flips), np.array([1, 0]))
    torch.testing.assert_close(shown[0], as_floats(SQUARES)[3], atol=1e-3, rtol=0)
    torch.testing.assert_close(shown[1], as_floats(SQUARES)[4].flip(2), atol=1e-3, rtol=0)


def test_pixels_are_normalised_by_each_channels_mean_and_deviation() -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.2)
    made = Augmenter(recipe(), mean, std, torch.device("cpu"))
    shown = made(SQUARES, ROWS, still(6))
    expected = SQUARES.permute(0, 3, 1, 2).float() / 255
    expected = (expected - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(shown, expected, atol=1e-4, rtol=1e-4)


def test_a_recipe_without_rotation_or_contrast_leaves_them_out() -> None:
    plain = Augmenter(recipe(contrast=0.0), HALF, HALF, torch.device("cpu"))
    assert (plain.turned, plain.contrasted) == (False, False)
    drawn = Augmenter(recipe(rotation=0.5, contrast=0.05), HALF, HALF, torch.device("cpu"))
    assert (drawn.turned, drawn.contrasted) == (True, True)


def test_maps_lead_from_the_crop_to_the_image() -> None:
    turn = np.float32(np.pi / 6)
    views = still(
        3,
        boxes=np.array([[0.4, 0.6, 0.5, 0.25]] * 3, np.float32),
        flips=np.array([False, True, False]),
        angles=np.array([0, 0, turn], np.float32),
    )
    straight, flipped, turned = affine(views, np.arange(3))
    np.testing.assert_allclose(straight, [[0.5, 0, -0.2], [0, 0.25, 0.2]], atol=1e-6)
    np.testing.assert_allclose(flipped, [[-0.5, 0, -0.2], [0, 0.25, 0.2]], atol=1e-6)
    cos, sin = np.cos(turn), np.sin(turn)
    expected = [[0.5 * cos, -0.5 * sin, -0.2], [0.25 * sin, 0.25 * cos, 0.2]]
    np.testing.assert_allclose(turned, expected, atol=1e-6)


def test_what_lies_outside_of_a_turned_image_is_grey() -> None:
    angles = np.full(6, np.pi / 4, np.float32)
    shown = augmenter(True)(SQUARES, ROWS, still(6, angles=angles))
    torch.testing.assert_close(shown[:, :, 0, 0], torch.zeros(6, 3), atol=1e-5, rtol=0)
