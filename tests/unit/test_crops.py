import numpy as np
import pytest
from PIL import Image

from lambda_function.crops import TEMPLATE, Preprocessing, crop_face, normalise, similarity_transform
from lambda_function.faces import Face


def test_similarity_transform_recovers_a_known_motion():
    angle, scale, shift = np.deg2rad(25), 1.7, np.array([12.0, -5.0])
    rotation = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = TEMPLATE * 100
    found = similarity_transform(points, points @ rotation.T + shift)
    assert np.allclose(found[:, :2], rotation, atol=1e-5) and np.allclose(found[:, 2], shift, atol=1e-3)


def test_alignment_puts_the_landmarks_on_the_template():
    prep = Preprocessing(align=True)
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (TEMPLATE - 0.5) * 300 @ turn.T + 300
    image = np.zeros((600, 600, 3), np.uint8)
    for x, y in landmarks.astype(int):
        image[y - 6 : y + 7, x - 6 : x + 7] = 255
    crop = crop_face(
        image, Face(np.array([150, 150, 450, 450], np.float32), landmarks.astype(np.float32), 1.0), prep
    )
    for x, y in (TEMPLATE * 128 + 16).round().astype(int):
        assert crop[y - 1 : y + 2, x - 1 : x + 2].mean() > 200


@pytest.mark.parametrize("side", [60, 320, 1100])  # as large as the crop, or shrunk before by 2 and by 7
@pytest.mark.parametrize("corner", [(500, 400), (-40, -30), (1150, 850)])  # inside, and over the edges
def test_alignment_reads_the_face_alone_and_gives_what_the_whole_photo_gives(side, corner):
    image = np.random.default_rng(side).integers(0, 255, (901, 1203, 3), dtype=np.uint8)
    turn = np.array([[0.9, -0.3], [0.3, 0.9]])
    landmarks = (TEMPLATE * side @ turn.T + corner).astype(np.float32)
    crop = crop_face(
        image, Face(np.zeros(4, np.float32), landmarks, 1.0), Preprocessing(margin=16, align=True)
    )
    forward = similarity_transform(landmarks, TEMPLATE * 144 + 8)
    step = max(1, int(1 / np.hypot(forward[0, 0], forward[1, 0])))
    inverse = np.linalg.inv(np.vstack([forward, [0, 0, 1]]))[:2] / step
    whole = Image.fromarray(image).reduce(step)
    plain = whole.transform(
        (160, 160), Image.Transform.AFFINE, tuple(inverse.ravel()), Image.Resampling.BICUBIC
    )
    assert np.array_equal(crop, plain)


def test_box_crop_is_the_one_of_facenet_pytorch():
    from facenet_pytorch.models.utils.detect_face import extract_face

    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (250, 250, 3), dtype=np.uint8)
    for box in ([80.2, 71.9, 170.4, 190.1], [-5.0, -9.0, 60.0, 70.0], [200.0, 190.0, 260.0, 255.0]):
        face = Face(np.array(box, np.float32), np.zeros((5, 2), np.float32), 1.0)
        theirs = extract_face(Image.fromarray(image), np.array(box), 160, 32).permute(1, 2, 0).numpy()
        assert np.array_equal(crop_face(image, face, Preprocessing(margin=32)), theirs.astype(np.uint8))


def test_normalise():
    crops = np.random.default_rng(1).integers(0, 255, (3, 160, 160, 3), dtype=np.uint8)
    fixed = normalise(crops, "fixed")
    assert fixed.shape == (3, 3, 160, 160) and fixed[0, 1, 2, 3] == (crops[0, 2, 3, 1] - 127.5) / 128
    own = normalise(crops, "per_image")
    assert np.allclose(own.mean((1, 2, 3)), 0, atol=1e-4) and np.allclose(own.std((1, 2, 3)), 1, atol=1e-4)
    assert np.isfinite(normalise(np.full((1, 160, 160, 3), 7, np.uint8), "per_image")).all()
    with pytest.raises(ValueError, match="normalise"):
        normalise(crops, "wrong")
