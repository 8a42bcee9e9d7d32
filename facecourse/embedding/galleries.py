"""outputs/<profile>/gallery.npz: written by notebook 03, given its threshold by 04, shipped by 05, read by 06."""

import numpy as np

from facecourse.core.paths import missing_input, outputs_for, require
from lambda_function.gallery import Gallery

FILE = "gallery.npz"


def save_gallery(profile: str, gallery: Gallery) -> None:
    """Write a profile's gallery; an earlier one is replaced as a whole."""
    gallery.save(outputs_for(profile) / FILE)


def load_gallery(profile: str, decided: bool = False) -> Gallery:
    """Return a profile's gallery; `decided` if it must have its threshold, which notebook 04 chooses.

    Raises core.paths.MissingInput if notebook 03, or 04, has not been run with this profile, or not since the course
    was brought up to date.
    """
    path = require(outputs_for(profile) / FILE, "03_finetune")
    try:
        gallery = Gallery.load(path)
    except ValueError as error:
        raise missing_input(str(error), path, "03_finetune") from error
    if decided and np.isnan(gallery.threshold):
        raise missing_input(f"{FILE} has no threshold yet", path, "04_evaluate")
    return gallery
