"""Face detection: order of detectors, duplicates, uncertain faces; and real detectors."""

import cv2
import numpy as np
import pytest

from workbench.demo.faces import draw_face, draw_scene
from workbench.domain.crops import CropState
from workbench.domain.errors import KnownError
from workbench.domain.geometry import Rect
from workbench.vision.mouths import (
    NO_FACE,
    NOT_SURE,
    OUTSIDE,
    TOO_LARGE,
    Detectors,
    MouthFinder,
    crop_pixels,
    find_faces,
    landmarks_path,
    load_detectors,
    load_landmarks,
    smallest_face,
)

BLANK = np.full((400, 600), 128, np.uint8)


class Script:
    """Detectors whose results depend on the image size, and which record it."""

    def __init__(self, cascade=None, hog=None):
        self.asked = []
        self.least = []  # smallest faces that the cascade looked for
        self.answers = {"cascade": cascade or {}, "hog": hog or {}}

    def detectors(self):
        def cascade(grey, smallest):
            self.asked.append(("cascade", grey.shape))
            self.least.append(smallest)
            return self.answers["cascade"].get(grey.shape, [])

        def hog(grey):
            self.asked.append(("hog", grey.shape))
            return self.answers["hog"].get(grey.shape, [])

        return Detectors(cascade, hog)


def test_the_cascade_alone_where_it_is_sure():
    script = Script({(400, 600): [(Rect(200, 100, 300, 200), 25)]})
    (face,) = find_faces(BLANK, script.detectors())
    assert (face.sure, face.detector) == (True, "cascade")
    assert script.asked == [("cascade", (400, 600))]


def test_hog_searches_for_more_faces_in_a_group():
    boxes = [(Rect(10, 10, 60, 60), 30), (Rect(200, 100, 300, 200), 25)]
    more = [Rect(16, 16, 96, 96), Rect(640, 320, 704, 384)]  # in pixels of 1.6 × the image
    script = Script({(400, 600): boxes}, {(640, 960): more})
    faces = find_faces(BLANK, script.detectors())
    assert [(face.rect, face.detector) for face in faces] == [
        (Rect(200, 100, 300, 200), "cascade"),
        (Rect(10, 10, 60, 60), "cascade"),
        (Rect(400, 200, 440, 240), "hog"),
    ]


def test_hog_where_the_cascade_finds_nothing():
    script = Script(hog={(400, 600): [Rect(100, 100, 200, 200)]})
    faces = find_faces(BLANK, script.detectors())
    assert [(face.rect, face.detector) for face in faces] == [(Rect(100, 100, 200, 200), "hog")]
    assert [name for name, _ in script.asked] == ["cascade", "hog"]


def test_hog_searches_a_reduced_copy_of_a_large_image():
    large = np.full((1440, 1920), 128, np.uint8)
    script = Script(hog={(720, 960): [Rect(100, 100, 200, 200)]})
    assert find_faces(large, script.detectors())[0].rect == Rect(200, 200, 400, 400)


FRAMED = (373 + 2 * 131, 560 + 2 * 196)  # 560 pixels wide, and 35 % more on each side


def test_the_border_is_added_last_and_its_faces_are_moved_back():
    script = Script(hog={FRAMED: [Rect(196, 131, 196 + 373, 131 + 373)]})
    faces = find_faces(BLANK, script.detectors())
    assert [(face.rect, face.detector) for face in faces] == [(Rect(0, 0, 400, 400), "hog, border")]
    assert [shape for _, shape in script.asked] == [(400, 600)] * 2 + [FRAMED] * 2
    assert script.least == [24, FRAMED[1] // 6]


def test_faces_inside_the_border_are_rejected():
    script = Script(hog={FRAMED: [Rect(0, 0, 160, 110)]})
    assert find_faces(BLANK, script.detectors()) == []


@pytest.mark.parametrize(("inside", "count"), [(30, 0), (48, 0), (50, 0), (52, 1), (70, 1)])
def test_a_face_across_the_border_counts_if_more_than_half_is_inside(inside, count):
    left = 196 - (100 - inside)
    script = Script(hog={FRAMED: [Rect(left, 200, left + 100, 300)]})
    assert len(find_faces(BLANK, script.detectors())) == count


def test_nothing_anywhere():
    script = Script()
    assert find_faces(BLANK, script.detectors()) == []
    assert len(script.asked) == 4


def test_few_windows_are_doubted_and_hog_may_confirm():
    found = {(400, 600): [(Rect(100, 100, 200, 200), 6)]}
    nearby = Script(found, {(240, 240): [Rect(60, 60, 180, 180)]})
    assert find_faces(BLANK, nearby.detectors())[0].sure
    alone = find_faces(BLANK, Script(found).detectors())
    assert [(face.detector, face.sure) for face in alone] == [("cascade", False)]


def test_a_doubtful_find_inside_a_real_face_is_dropped_and_one_beside_it_is_kept():
    found = {(400, 600): [(Rect(150, 150, 190, 190), 6), (Rect(500, 20, 560, 80), 6)]}
    script = Script(found, {(400, 600): [Rect(100, 100, 300, 300)]})
    faces = find_faces(BLANK, script.detectors())
    assert [(face.rect.left, face.sure) for face in faces] == [(100, True), (500, False)]


@pytest.mark.parametrize(("votes", "sure"), [(19, False), (20, True)])
def test_a_find_of_twenty_windows_is_sure(votes, sure):
    script = Script({(400, 600): [(Rect(100, 100, 200, 200), votes)]})
    assert [face.sure for face in find_faces(BLANK, script.detectors())] == [sure]


CORNER, MIDDLE = Rect(10, 20, 70, 80), Rect(100, 100, 160, 160)


@pytest.mark.parametrize(
    ("face", "part", "boxes", "sure"),
    [
        (CORNER, (220, 200), [(76, 40, 196, 160)], True),  # the part ends at the image's corner
        (MIDDLE, (240, 240), [(60, 60, 180, 180)], True),
        (MIDDLE, (240, 240), [(6, 60, 126, 180)], True),
        (MIDDLE, (240, 240), [(60, 6, 180, 126)], True),
        (MIDDLE, (240, 240), [(60, 60, 180, 96)], True),  # an IoU of exactly 0.3
        (MIDDLE, (240, 240), [(60, 60, 180, 92)], False),
        (MIDDLE, (240, 240), [(200, 200, 240, 240), (60, 60, 180, 180)], True),
        (MIDDLE, (240, 240), [(200, 200, 240, 240)], False),
    ],
)
def test_hog_confirms_a_face_in_twice_its_box_at_a_side_of_120_pixels(face, part, boxes, sure):
    script = Script({(400, 600): [(face, 6)]}, {part: [Rect(*box) for box in boxes]})
    assert [found.sure for found in find_faces(BLANK, script.detectors())] == [sure]


def test_a_doubtful_second_face_makes_hog_search_too():
    found = {(400, 600): [(Rect(10, 10, 110, 110), 25), (Rect(200, 200, 260, 260), 6)]}
    script = Script(found, {(640, 960): [Rect(640, 320, 704, 384)]})
    faces = find_faces(BLANK, script.detectors())
    assert [face.detector for face in faces] == ["cascade", "hog", "cascade"]


def test_a_small_image_is_enlarged_twice_at_most():
    boxes = [(Rect(10, 10, 50, 50), 30), (Rect(100, 10, 150, 60), 30)]
    script = Script({(100, 200): boxes}, {(200, 400): [Rect(120, 100, 180, 160)]})
    faces = find_faces(np.full((100, 200), 128, np.uint8), script.detectors())
    assert faces[-1].rect == Rect(60, 50, 90, 80)


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([(0, 0, 130, 100), (70, 0, 200, 100)], 1),  # an IoU of exactly 0.3
        ([(0, 0, 130, 100), (71, 0, 201, 100)], 2),
        ([(100, 50, 400, 350), (80, 100, 180, 200)], 1),  # four fifths inside the larger one
        ([(100, 50, 400, 350), (79, 100, 179, 200)], 2),
        ([(0, 0, 100, 100), (300, 0, 400, 100), (5, 5, 105, 105)], 2),
        ([(0, 0, 1, 100), (300, 0, 400, 100)], 2),
        ([(0, 0, 100, 1), (0, 300, 100, 400)], 2),
        ([(5, 5, 5, 5), (300, 0, 400, 100)], 2),  # a box of no size
    ],
)
def test_boxes_that_overlap_enough_are_one_face(boxes, count):
    script = Script({(400, 600): [(Rect(*box), 30) for box in boxes]})
    assert len(find_faces(BLANK, script.detectors())) == count


def test_two_boxes_of_one_face_are_one():
    boxes = [(Rect(100, 100, 200, 200), 30), (Rect(110, 105, 215, 210), 40)]
    assert len(find_faces(BLANK, Script({(400, 600): boxes}).detectors())) == 1


@pytest.mark.parametrize(
    ("size", "least"), [((300, 200), 24), ((900, 600), 30), ((4000, 3000), 64)]
)
def test_the_smallest_face_looked_for(size, least):
    assert smallest_face(*size) == least


def grey_of(picture):
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


@pytest.fixture(scope="module")
def finder():
    return MouthFinder.load(landmarks_path())


def test_skipping_small_faces_changes_nothing_else(finder):
    grey = grey_of(draw_scene(900, 500, ((40, 60, 200), (350, 100, 260), (660, 120, 220))))
    found = [{rect for rect, _ in finder.detectors.cascade(grey, least)} for least in (24, 60)]
    assert len(found[0]) == 3
    assert found[0] == found[1]


def test_a_real_face_and_its_mouth(finder):
    crops = finder.find_in(7, grey_of(draw_scene(480, 360)))
    assert len(crops) == 1
    crop = crops[0]
    assert (crop.image, crop.face, crop.state, crop.reason) == (7, 0, CropState.FOUND, "")
    assert len(crop.landmarks) == 68
    assert crop.rect.width == crop.rect.height
    middle = ((crop.rect.left + crop.rect.right) / 2, (crop.rect.top + crop.rect.bottom) / 2)
    assert abs(middle[0] - 240) < 8
    assert abs(middle[1] - (60 + 0.74 * 240)) < 15


def test_several_faces_largest_first(finder):
    scene = draw_scene(900, 500, ((40, 60, 200), (350, 100, 260), (660, 120, 220)))
    crops = finder.find_in(1, grey_of(scene))
    assert [crop.face for crop in crops] == [0, 1, 2]
    assert [crop.rect.left // 300 for crop in crops] == [1, 2, 0]


def test_a_face_that_fills_the_frame(finder):
    (crop,) = finder.find_in(1, grey_of(draw_face(400)[100:330, 100:300]))
    assert crop.detector == "hog"
    assert crop.rect.width > 100


def test_no_face(finder):
    ground = grey_of(draw_scene(300, 200, ()))
    (crop,) = finder.find_in(1, ground)
    assert (crop.state, crop.rect, crop.reason) == (CropState.MISSED, None, NO_FACE)


def points_at(left, top, right, bottom):
    return tuple((left, top) if i % 2 else (right, bottom) for i in range(68))


@pytest.mark.parametrize(
    ("votes", "points", "state", "reason"),
    [
        (30, points_at(100, 100, 500, 200), CropState.FOUND, TOO_LARGE),
        (6, points_at(100, 100, 160, 140), CropState.FOUND, NOT_SURE),
        (6, points_at(0, 100, 599, 140), CropState.FOUND, f"{NOT_SURE}; {TOO_LARGE}"),
        (30, points_at(700, 100, 760, 140), CropState.MISSED, OUTSIDE),
    ],
)
def test_unusual_detections_have_a_reason(votes, points, state, reason):
    script = Script({(400, 600): [(Rect(100, 100, 200, 200), votes)]})
    finder = MouthFinder(script.detectors(), lambda grey, face: points)
    (crop,) = finder.find_in(1, BLANK)
    assert (crop.state, crop.reason) == (state, reason)
    if crop.rect:
        assert crop.rect.inside(600, 400) == crop.rect


INSIDE = points_at(100, 100, 160, 140)
LEFT_OF_IT = points_at(-60, 100, -1, 140)


@pytest.mark.parametrize(
    ("points", "state"),
    [
        (LEFT_OF_IT, CropState.MISSED),
        (points_at(-60, 100, 0, 140), CropState.FOUND),
        (points_at(100, -40, 160, -1), CropState.MISSED),
        (points_at(100, -40, 160, 0), CropState.FOUND),
        (points_at(600, 100, 660, 140), CropState.MISSED),
        (points_at(599, 100, 660, 140), CropState.FOUND),
        (points_at(100, 400, 160, 440), CropState.MISSED),
        (points_at(100, 399, 160, 440), CropState.FOUND),
        ((*INSIDE[:48], *LEFT_OF_IT[48:]), CropState.MISSED),  # the rest of the face is inside
        ((*LEFT_OF_IT[:48], INSIDE[48], *LEFT_OF_IT[49:]), CropState.FOUND),
        ((*LEFT_OF_IT[:67], INSIDE[67]), CropState.FOUND),
    ],
)
def test_a_mouth_counts_if_a_point_of_it_is_inside_the_image(points, state):
    script = Script({(400, 600): [(Rect(100, 100, 200, 200), 30)]})
    finder = MouthFinder(script.detectors(), lambda grey, face: points)
    assert [crop.state for crop in finder.find_in(1, BLANK)] == [state]


@pytest.mark.parametrize("side", [128, 256])
def test_a_crop_is_resized_by_areas_or_by_cubic_curves(tmp_path, side):
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    rgb = np.ascontiguousarray(pixels[..., ::-1])
    large = crop_pixels(tmp_path / "a.png", Rect(20, 10, 20 + side, 10 + side))
    expected = cv2.resize(
        rgb[10 : 10 + side, 20 : 20 + side], (128, 128), interpolation=cv2.INTER_AREA
    )
    assert np.array_equal(large, expected)
    small = crop_pixels(tmp_path / "a.png", Rect(20, 10, 84, 74))
    expected = cv2.resize(rgb[10:74, 20:84], (128, 128), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(small, expected)


def test_faces_that_share_a_mouth_are_one():
    boxes = [(Rect(0, 0, 100, 100), 30), (Rect(200, 200, 300, 300), 30)]
    script = Script({(400, 600): boxes})
    finder = MouthFinder(script.detectors(), lambda grey, face: points_at(100, 100, 160, 140))
    assert len(finder.find_in(1, BLANK)) == 1


def test_the_landmark_file_is_named_when_it_is_missing_or_wrong(tmp_path, monkeypatch):
    with pytest.raises(KnownError, match=r"gone\.dat"):
        landmarks_path(tmp_path / "gone.dat")
    (tmp_path / "wrong.dat").write_bytes(b"no landmarks at all")
    with pytest.raises(KnownError, match=r"wrong\.dat is not a landmark file"):
        load_landmarks(landmarks_path(str(tmp_path / "wrong.dat")))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(KnownError) as caught:
        landmarks_path()
    assert "face_recognition_models" in caught.value.remedy


def test_a_missing_cascade_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr("workbench.vision.mouths.cv2.__file__", str(tmp_path / "cv2.py"))
    with pytest.raises(KnownError, match="haarcascade"):
        load_detectors()
