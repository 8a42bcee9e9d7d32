import numpy as np
import pytest

from lambda_function.gallery import CROWD, UNKNOWN, Gallery, likeness_to_the_crowd


@pytest.fixture
def gallery():
    return Gallery(["Ada", "Bo", "Cy"], np.eye(3, 4), threshold=0.6, calibration=(10.0, -6.0))


def test_names_the_nearest_and_refuses_strangers(gallery):
    known, stranger = gallery.identify(np.array([[0, 0.9, 0.1, 0.42], [0.3, 0.3, 0.3, 0.85]]), top=2)
    assert known.name == "Bo" and [name for name, *_ in known.top] == ["Bo", "Cy"]
    assert stranger.name == UNKNOWN and len(stranger.top) == 2


def test_confidence_is_a_half_where_the_calibration_crosses_zero(gallery):
    assert gallery.confidence(np.array([0.6]))[0] == pytest.approx(0.5)
    assert (np.diff(gallery.confidence(np.linspace(-1, 1, 9))) > 0).all()


def test_threshold_can_be_moved_without_the_network(gallery):
    probe = np.array([[0, 0.55, 0, 0.83]])
    assert gallery.identify(probe)[0].name == UNKNOWN
    assert gallery.identify(probe, threshold=0.5)[0].name == "Bo"


def test_enrol_then_remove_leaves_the_others_as_they_were(gallery):
    before = gallery.vectors.copy()
    gallery.enrol("Di", np.array([[0, 0, 0.1, 1.0], [0, 0, -0.1, 1.0]]))
    assert gallery.identify(np.array([[0, 0, 0, 1.0]]))[0].name == "Di"
    gallery.enrol("Di", np.array([[0, 0, 0, 1.0]]))
    assert gallery.labels.count("Di") == 1
    assert gallery.remove("Di") and not gallery.remove("Di")
    assert np.array_equal(gallery.vectors, before)


@pytest.mark.parametrize("name", ["", "  ", "Unknown"])
def test_a_person_cannot_be_called_unknown(gallery, name):
    with pytest.raises(ValueError, match="name"):
        gallery.enrol(name, np.eye(1, 4))


@pytest.mark.parametrize("embeddings", [np.zeros((0, 4)), np.eye(1, 5), np.full((1, 4), np.nan)])
def test_enrolment_refuses_what_is_no_embedding(gallery, embeddings):
    with pytest.raises(ValueError, match="embeddings"):
        gallery.enrol("Di", embeddings)


def test_empty_gallery_knows_nobody():
    assert Gallery([], np.zeros((0, 4))).identify(np.eye(1, 4))[0].name == UNKNOWN


def test_labels_and_vectors_must_fit():
    with pytest.raises(ValueError, match="labels"):
        Gallery(["Ada"], np.eye(2, 4))


def test_likeness_to_the_crowd_is_the_mean_of_those_after_the_best():
    cosines = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.6]])
    assert likeness_to_the_crowd(cosines).ravel() == pytest.approx([0.2, 0.4])
    many = np.random.default_rng(0).normal(size=(7, 300))
    ordered = np.sort(many, axis=1)[:, ::-1]
    assert likeness_to_the_crowd(many).ravel() == pytest.approx(ordered[:, 1 : CROWD + 1].mean(axis=1))
    assert not likeness_to_the_crowd(np.ones((2, 1))).any() and likeness_to_the_crowd(many[:0]).shape == (
        0,
        1,
    )


def test_a_face_like_everyone_needs_more_to_get_a_name(gallery):
    gallery.crowd, sharp, blurred = 0.5, [0.95, 0.05, 0.05, 0.3], [0.8, 0.42, 0.42, 0.1]
    first, second = gallery.identify(np.array([sharp, blurred]))
    assert first.name == "Ada" and first.score == pytest.approx(0.95 - 0.5 * 0.05)
    assert second.name == UNKNOWN and second.score == pytest.approx(0.8 - 0.5 * 0.42)
    assert [name for name, *_ in second.top] == ["Ada", "Bo", "Cy"]  # the order is that of the similarities
