import numpy as np
import pytest

from lambda_function.gallery import COHORT_SIZE, UNKNOWN, Gallery, cohort_mean


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


@pytest.mark.parametrize(
    "name, embeddings, word",
    [
        ("  ", np.eye(1, 4), "name"),
        ("Unknown", np.eye(1, 4), "name"),
        ("Di", np.zeros((0, 4)), "embeddings"),
        ("Di", np.eye(1, 5), "embeddings"),
        ("Di", np.full((1, 4), np.nan), "embeddings"),
    ],
)
def test_enrolment_refuses_what_is_no_name_or_no_embedding(gallery, name, embeddings, word):
    with pytest.raises(ValueError, match=word):
        gallery.enrol(name, embeddings)


def test_the_cohort_mean_is_the_mean_of_those_after_the_best():
    cosines = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.6]])
    assert cohort_mean(cosines).ravel() == pytest.approx([0.2, 0.4])
    many = np.random.default_rng(0).normal(size=(7, 300))
    ordered = np.sort(many, axis=1)[:, ::-1]
    assert cohort_mean(many).ravel() == pytest.approx(ordered[:, 1 : COHORT_SIZE + 1].mean(axis=1))
    assert not cohort_mean(np.ones((2, 1))).any() and cohort_mean(many[:0]).shape == (
        0,
        1,
    )


def test_a_face_like_everyone_needs_more_to_get_a_name(gallery):
    gallery.cohort_weight, sharp, blurred = 0.5, [0.95, 0.05, 0.05, 0.3], [0.8, 0.42, 0.42, 0.1]
    first, second = gallery.identify(np.array([sharp, blurred]))
    assert first.name == "Ada" and first.score == pytest.approx(0.95 - 0.5 * 0.05)
    assert second.name == UNKNOWN and second.score == pytest.approx(0.8 - 0.5 * 0.42)
    assert [name for name, *_ in second.top] == ["Ada", "Bo", "Cy"]  # the order is that of the similarities


def test_one_file_holds_every_field(gallery, tmp_path):
    gallery.cohort_weight, gallery.about = 0.7, {"kind": "cosface", "views": 4}
    gallery.labels[1] = "Zoë Ω"
    gallery.save(tmp_path / "gallery.npz")
    first = (tmp_path / "gallery.npz").read_bytes()
    again = Gallery.load(tmp_path / "gallery.npz")
    assert np.array_equal(again.vectors, gallery.vectors)
    assert vars(again) | {"vectors": 0} == vars(gallery) | {"vectors": 0}
    again.save(tmp_path / "gallery.npz")
    assert (tmp_path / "gallery.npz").read_bytes() == first  # or a bundle's version would change with the day
    Gallery([], np.zeros((0, 4))).save(tmp_path / "nobody.npz")
    nobody = Gallery.load(tmp_path / "nobody.npz")
    assert np.isnan(nobody.threshold) and nobody.identify(np.eye(1, 4))[0].name == UNKNOWN  # not chosen yet


@pytest.mark.parametrize("damage", ["cut", "older", "pickle"])
def test_a_damaged_or_older_file_is_refused_and_nothing_in_it_is_run(gallery, tmp_path, damage):
    path = tmp_path / "gallery.npz"
    gallery.save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "older":
        np.savez(path, labels=np.array(["Ada"]), vectors=np.eye(1, 4))
    else:
        np.savez(path, labels=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError):
        Gallery.load(path)
