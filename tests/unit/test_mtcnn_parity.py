"""The detector gives what facenet-pytorch's MTCNN gives; in full, over a thousand photos, in `make bench`."""

import tarfile
import zipfile

import numpy as np
import pytest

from facecourse.detection.detector import detector
from facecourse.detection.export import raw_network
from facecourse.photos.truth import true_faces
from lambda_function.photos import open_photo
from tests.reference_mtcnn import Parity, Reference


@pytest.fixture(scope="module")
def reference():
    return Reference(threads=1)  # more of torch's threads wait for each other on a busy machine


def compare(photos, reference):
    parity = Parity()
    for name, image in photos:
        parity.add(name, detector().detect([image])[0], reference(image))
    return parity


def test_on_photos_of_the_sample(reference):
    truth = true_faces()
    paths = [*truth.loc[~truth["group"], "path"].iloc[::9], *dict.fromkeys(truth.loc[truth["group"], "path"])]
    parity = compare(((path.name, open_photo(path)) for path in paths), reference)
    assert parity.faces >= 40
    assert parity.number == 1 and parity.place >= 0.98, parity.differences


def test_without_a_face(reference):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    for image in (noise, np.zeros_like(noise)):
        assert reference(image) == detector().detect([image])[0] == []


def test_on_real_photos(reference, lfw_mirror):
    photos = []
    with tarfile.open(lfw_mirror / "lfw-deepfunneled.tgz") as archive:
        for member in archive:
            if member.name.endswith("_0001.jpg"):
                photos.append((member.name, open_photo(archive.extractfile(member).read())))
            if len(photos) == 60:
                break
    with zipfile.ZipFile(lfw_mirror / "people.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")][::12]
        photos += [(name, open_photo(archive.read(name))) for name in names]
    parity = compare(photos, reference)
    assert parity.faces >= 75
    # One of so few may differ: where two scores are one unit in the last place apart, rounding decides.
    assert parity.number == 1 and parity.place >= 0.985, parity.differences


@pytest.mark.parametrize(("name", "size"), [("pnet", 40), ("rnet", 24), ("onet", 48)])
def test_exported_networks_compute_what_the_originals_compute(name, size):
    import torch
    from facenet_pytorch.models import mtcnn

    original = {"pnet": mtcnn.PNet, "rnet": mtcnn.RNet, "onet": mtcnn.ONet}[name]().eval()
    pixels = torch.randint(0, 256, (5, 3, size, size), generator=torch.Generator().manual_seed(0)).float()
    with torch.inference_mode():
        *ours, face = raw_network(name)(pixels)
        *theirs, both = original((pixels - 127.5) / 128)
    for a, b in zip([*ours, face], [*theirs, both[:, 1:]], strict=True):
        assert float((a - b).abs().max()) < 2e-5
