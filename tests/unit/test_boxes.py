"""Boxes and area resampling, against values worked out by hand and against plain loops."""

import numpy as np
import pytest

from lambda_function.area import IntegralImage, windows
from lambda_function.boxes import apply_offsets, clip_boxes, iou, nms, to_square


def plain_nms(boxes, scores, threshold, smaller):
    order = np.argsort(scores, kind="stable")[::-1] if smaller else np.argsort(-scores, kind="stable")
    extra, left, kept = (1 if smaller else 0), list(order), []
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + extra, axis=1)
    while left:
        best = left.pop(0)
        kept.append(best)
        rest = []
        for i in left:
            low, high = np.maximum(boxes[best, :2], boxes[i, :2]), np.minimum(boxes[best, 2:], boxes[i, 2:])
            shared = np.prod(np.maximum(high - low + extra, 0))
            whole = min(area[best], area[i]) if smaller else area[best] + area[i] - shared
            if shared <= np.float32(threshold) * whole:
                rest.append(i)
        left = rest
    return kept


@pytest.mark.parametrize("smaller", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 90, 700])
def test_nms_by_blocks_is_that_of_one_box_after_the_other(count, smaller):
    random = np.random.default_rng(count)
    corner = random.integers(0, 120, (count, 2))
    boxes = np.concatenate([corner, corner + random.integers(5, 60, (count, 2))], axis=1).astype(np.float32)
    scores = random.integers(0, 50, count).astype(np.float32)  # with ties
    kept = nms(boxes, scores, 0.5, smaller)
    assert kept.tolist() == plain_nms(boxes, scores, 0.5, smaller)


def test_a_box_within_another_goes_only_by_the_smaller_area():
    boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 60]], np.float32)
    scores = np.array([0.9, 0.8], np.float32)
    assert nms(boxes, scores, 0.7).tolist() == [0, 1]
    assert nms(boxes, scores, 0.7, smaller=True).tolist() == [0]


def test_of_boxes_with_the_same_score_the_same_one_stays_as_in_facenet_pytorch():
    boxes = np.array([[0, 0, 50, 50], [1, 0, 51, 50], [0, 1, 50, 51]], np.float32)
    scores = np.array([0.9, 1, 1], np.float32)
    assert nms(boxes, scores, 0.7).tolist() == [1]
    assert nms(boxes, scores, 0.7, smaller=True).tolist() == [2]


def test_boxes_move_and_become_to_square():
    box = np.array([[10, 20, 30, 60]], np.float32)
    assert apply_offsets(box, np.array([[0.5, 0, -0.5, 0.25]], np.float32), extra=0).tolist() == [
        [20, 20, 20, 70]
    ]
    assert to_square(box).tolist() == [[0, 20, 40, 60]]


def test_boxes_are_cut_to_the_photo_even_if_absurd():
    cut = clip_boxes(np.array([[-5, 3.9, 2e12, 50], [70, 0, 80, 10]], np.float32), 60, 40)
    assert cut.tolist() == [[0, 2, 60, 40], [69, 0, 60, 10]]


def test_iou():
    first, second = np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 1, 3, 3], [5.0, 5, 6, 6], [0.0, 0, 2, 2]])
    assert iou(first, second) == pytest.approx(np.array([[1 / 7, 0, 1]]))


def plain_mean(image, box, size):
    x0, y0, x1, y1 = box
    (left,), (right,) = windows(np.array([x0]), np.array([x1 - x0]), size)
    (top,), (bottom,) = windows(np.array([y0]), np.array([y1 - y0]), size)
    return np.array(
        [
            [image[a:b, c:d].mean(axis=(0, 1)) for c, d in zip(left, right, strict=True)]
            for a, b in zip(top, bottom, strict=True)
        ]
    ).transpose(2, 0, 1)


def test_crops_are_means_of_the_pixels_under_each_output_pixel():
    image = np.random.default_rng(0).integers(0, 256, (90, 130, 3), np.uint8)
    boxes = np.array([[0, 0, 130, 90], [5, 7, 12, 60], [129, 89, 130, 90]])
    crops = IntegralImage(image).crops(boxes, 24)
    assert crops.shape == (3, 3, 24, 24) and crops.dtype == np.float32
    for box, crop in zip(boxes, crops, strict=True):
        assert np.abs(crop - plain_mean(image, box, 24)).max() < 1e-4


@pytest.mark.parametrize("value", [255, 1])
def test_sums_that_outgrow_a_third_of_64_bits_are_right(value):
    image = np.full((400, 500, 3), value, np.uint8)
    image[..., 1] = 3
    level = IntegralImage(image).level(
        2, 3
    )  # windows of 200 x 167 pixels: 33,400 x 255 is more than 21 bits hold
    assert np.abs(level - np.array([value, 3, value])[:, None, None]).max() < 1e-3


def test_rows_of_a_level_are_those_of_the_whole_level():
    image = np.random.default_rng(1).integers(0, 256, (75, 64, 3), np.uint8)
    pixels = IntegralImage(image)
    assert np.array_equal(pixels.level(40, 33, slice(6, 21)), pixels.level(40, 33)[:, 6:21])


def test_grey_is_three_equal_channels():
    grey = np.random.default_rng(2).integers(0, 256, (30, 40), np.uint8)
    assert np.array_equal(
        IntegralImage(grey).level(10, 10), IntegralImage(np.stack([grey] * 3, axis=2)).level(10, 10)
    )
