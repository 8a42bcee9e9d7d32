"""Photos made worse: by as much as was said, and in the right place."""

import numpy as np
import pytest

from facecourse.lessons.robustness import CHANGES, compressed, darker, masked, smaller
from lambda_function.faces import Face

FACE = Face(
    np.float32([60, 40, 140, 150]), np.float32([[80, 80], [120, 80], [100, 100], [84, 122], [116, 122]]), 1.0
)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(60, 200, (200, 200, 3)).astype(np.uint8)


def test_a_face_is_left_as_wide_as_said(photo):
    assert smaller(photo, FACE, 20).shape == (50, 50, 3)
    assert smaller(photo, FACE, 500) is photo


def test_a_mask_hides_the_mouth_and_leaves_the_eyes(photo):
    worn = (masked(photo, FACE, 0.5) != photo).any(axis=2)
    assert worn[122, 84] and worn[122, 116] and worn[104, 100]
    assert not worn[80, 80] and not worn[80, 120] and worn.mean() < 0.2


def test_less_light_is_more_noise_and_not_a_darker_picture():
    grey = np.full((100, 100, 3), 128, np.uint8)
    noise = [darker(grey, FACE, light).std() for light in (0.3, 0.1, 0.03)]
    assert 1 < noise[0] < noise[1] < noise[2] and abs(float(darker(grey, FACE, 0.3).mean()) - 128) < 6


def test_every_change_gets_worse_by_level(photo):
    smooth = np.asarray(np.clip(np.add.outer(np.arange(200), np.arange(200)) / 2, 0, 255), np.uint8)
    picture = np.repeat(smooth[..., None], 3, axis=2) // 2 + photo // 2
    for change, levels in CHANGES.values():
        if change is not smaller:
            lost = [np.abs(change(picture, FACE, level).astype(int) - picture).mean() for level in levels]
            assert 0 < lost[0] < lost[1] < lost[2]
    assert len(np.unique(compressed(picture, FACE, 5))) < 256
