"""A model bundle of rendered people: what tests and benchmarks open, whoever the reader's own people are."""

import json
from pathlib import Path
from unittest.mock import patch

import numpy as np

from facecourse.core import paths
from facecourse.deployment.bundle import build_bundle
from facecourse.detection.detector import detector
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.galleries import save_gallery
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser

PEOPLE_MOST, PHOTOS_EACH = 40, 6
THRESHOLD, CALIBRATION = 0.79, (20.0, -15.8)  # between the strangers in data/group and the people enrolled


def build_sample_bundle(folder: Path, group: str = "people") -> Path:
    """Enrol the rendered people of data/people, or data/others, from their first photos into folder/sample/model.

    model.zip is beside it. Photos of the reader's own people are passed over.
    """
    backbone = find_backbone("msceleb1m-int8", views=2)  # as notebook 05 deploys it
    embedder = backbone.embedder()
    nobody = np.zeros((0, embedder.dimension))
    gallery = Gallery([], nobody, THRESHOLD, CALIBRATION, about={"backbone": backbone.label})
    recogniser = Recogniser(detector(), embedder, gallery, views=backbone.views)
    rendered = [paths.DATA / name for name in json.loads((paths.DATA / "photos.json").read_text())]
    people: dict[str, list[Path]] = {}
    for photo in rendered:
        if photo.parent.parent.name == group and photo.exists():
            people.setdefault(photo.parent.name, []).append(photo)
    for person, photos in list(people.items())[:PEOPLE_MOST]:
        looks = [recogniser.look(open_photo(photo)) for photo in sorted(photos)[:PHOTOS_EACH]]
        if seen := [look.embeddings[look.main()] for look in looks if look.faces]:
            gallery.enrol(person, np.stack(seen))
    with patch.object(paths, "OUTPUTS", folder):
        save_gallery("sample", gallery)
        return build_bundle("sample", backbone)
