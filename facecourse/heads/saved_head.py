"""The trained head as a file: what notebook 03 hands to the notebooks after it."""

import json
from pathlib import Path

import numpy as np

from facecourse.core.paths import MissingInput, outputs_for, require


def save_head(profile: str, names: list[str], vectors: np.ndarray, scale: float, **about) -> Path:
    """Write outputs/<profile>/head.npz: labels, unit vectors, scale; and `about` as head.json.

    Parameters
    ----------
    profile : str
        "sample" or "lfw".
    names : list of str
    vectors : ndarray of shape (people, d), float32
        Unit rows, in the order of `names`.
    scale : float
    **about
        What else to keep with them.
    """
    folder = outputs_for(profile)
    partial = folder / "head.part.npz"
    np.savez(partial, labels=np.array(names), vectors=vectors.astype(np.float32), scale=np.float32(scale))
    partial.replace(folder / "head.npz")
    (folder / "head.json").write_text(json.dumps(about, indent=2, default=float) + "\n")
    return folder / "head.npz"


def load_head(profile: str) -> tuple[list[str], np.ndarray, dict]:
    """Return names, unit vectors (c, d) and what notebook 03 noted about them.

    Raises
    ------
    facecourse.core.paths.MissingInput
        If notebook 03 has not been run with this profile, or not since the course was brought up to date.
    """
    path = require(outputs_for(profile) / "head.npz", "03_finetune")
    about = path.with_suffix(".json")
    noted = json.loads(about.read_text()) if about.exists() else {}
    if "views" not in noted:
        raise MissingInput(f"{path.name} is of an earlier version: run notebooks/03_finetune.ipynb once more")
    with np.load(path, allow_pickle=False) as stored:
        return stored["labels"].tolist(), stored["vectors"], noted
