"""Comparing precisions: LFW's pairs are measured on all of their photos, also on those that are trained on."""

import numpy as np
import pandas as pd
import pytest

from facecourse.deployment import variants
from facecourse.metrics.verification import Pairs

PEOPLE, EACH, FOLDS = 12, 6, 10


@pytest.fixture
def course(monkeypatch, tmp_path):
    """Twelve people, six photos each, whose embeddings are their person's; ten folds of pairs, of trained photos too."""
    persons = np.repeat(np.arange(PEOPLE), EACH)
    rows = np.eye(PEOPLE, 128, dtype=np.float32)
    sides = ["train", "train", "train", "test", "val", "train"] * (PEOPLE - 2) + ["unknown_test"] * (2 * EACH)
    manifest = pd.DataFrame(
        {
            "person": [f"P{k:02d}" for k in persons],
            "course_split": sides,
            "faces": 1,
            "sha256": [f"{k:064d}" for k in range(len(persons))],
        }
    )
    left = np.tile(np.arange(0, len(persons), EACH), FOLDS)
    pairs = Pairs(
        np.concatenate([left, left]),
        np.concatenate([left + 1, (left + EACH) % len(persons)]),
        np.repeat([True, False], len(left)),
        np.tile(np.repeat(np.arange(FOLDS), PEOPLE), 2),
    )
    known = PEOPLE - 2
    monkeypatch.setattr(
        variants, "load_head", lambda _: ([f"P{k:02d}" for k in range(known)], rows[:known], {"views": 1})
    )
    monkeypatch.setattr(variants, "load_manifest", lambda _: manifest)
    monkeypatch.setattr(variants, "load_decision", lambda _: {"threshold": 0.5, "crowd": 0.0})
    monkeypatch.setattr(variants, "lfw_pairs", lambda: None)
    monkeypatch.setattr(variants, "official_pairs", lambda *_: pairs)
    monkeypatch.setattr(variants, "_milliseconds", lambda paths, *_: dict.fromkeys(paths, 1.0))
    # The small variant mixes the first two people up.
    mixed = rows[[1, 0, *range(2, PEOPLE)]]
    monkeypatch.setattr(
        variants.recognition,
        "embed_manifest",
        lambda photos, name, views: (mixed if name.endswith("-int8") else rows)[persons[photos.index]],
    )
    for name in ("fp32", "int8"):
        (tmp_path / name).write_bytes(b"x")
    return {name: tmp_path / name for name in ("fp32", "int8")}


def test_pairs_of_trained_photos_count(course):
    table = variants.compare_variants("lfw", course)
    assert table.loc["fp32", "LFW"] == 100 and table.loc["fp32", "test top-1"] == 100
    assert table.loc["int8", "LFW"] == 100  # mixed up, the same people are still alike
    assert table.loc["int8", "test top-1"] == pytest.approx(80)
    assert table.loc["int8", "points lost"] == pytest.approx(20) and table.loc["int8", "answers changed"] == 2
    assert variants.choose_variant(table) == "fp32"
