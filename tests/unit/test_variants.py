"""Comparing precisions: against the gallery's own, on photos that count, by time and loss."""

import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from facecourse.deployment import variants
from facecourse.embedding.backbones import Backbone
from lambda_function.crops import Preprocessing
from lambda_function.gallery import Gallery

PEOPLE, EACH = 12, 6
KNOWN = [f"P{k:02d}" for k in range(PEOPLE - 2)]


class Sleeper:
    """An embedder that takes its time."""

    def __init__(self, precision):
        self.seconds = {"fp32": 0.03, "int8": 0.001}[precision]

    def embed(self, crops):
        assert crops.shape == (1, 2, 160, 160, 3)
        time.sleep(self.seconds)


@dataclass(frozen=True)
class Fake(Backbone):
    """A backbone without a network: `_embed` gives the embeddings."""

    def onnx(self):
        return self.path.with_name(self.precision)

    def embedder(self, threads=1):
        return Sleeper(self.precision)


@pytest.fixture
def backbone(monkeypatch, tmp_path):
    """Twelve people, six photos each, whose embeddings are their person's; with 8 bits the first two are mixed up."""
    persons = np.repeat(np.arange(PEOPLE), EACH)
    rows = np.eye(PEOPLE, 128, dtype=np.float32)
    mixed = rows[[1, 0, *range(2, PEOPLE)]]
    sides = ["train", "train", "train", "test", "val", "train"] * (PEOPLE - 2) + ["unknown_val"] * (2 * EACH)
    columns = {"person": [f"P{k:02d}" for k in persons], "course_split": sides, "faces": 1}
    gallery = Gallery(KNOWN, rows[: len(KNOWN)], 0.5)
    monkeypatch.setattr(variants, "load_gallery", lambda profile, decided: gallery)
    monkeypatch.setattr(variants, "load_manifest", lambda profile: pd.DataFrame(columns))
    monkeypatch.setattr(
        variants,
        "embed_manifest",
        lambda photos, variant: (mixed if variant.precision == "int8" else rows)[persons[photos.index]],
    )
    (tmp_path / "fp32").write_bytes(bytes(4_000_000))
    (tmp_path / "int8").write_bytes(bytes(1_000_000))
    return Fake("fake", tmp_path / "weights", "0" * 64, Preprocessing(), "fp32", 2)


def test_every_figure_counts(backbone):
    table = variants.compare_variants("lfw", backbone, runs=5)
    assert list(table.index) == ["fp32", "int8"] and table["MB"].tolist() == [4, 1]
    assert table.loc["fp32", ["top-1 %", "FPIR %", "FNIR %"]].tolist() == [100, 0, 0]
    # Mixed up, the same two people are still alike: only names are wrong.
    assert table.loc["int8", ["top-1 %", "FPIR %", "FNIR %"]].tolist() == pytest.approx([80, 0, 20])
    assert table["photos lost"].tolist() == [0, 2]
    assert table["answers changed"].tolist() == [0, 2]
    assert 1 < table.loc["int8", "ms per face"] < 30 < table.loc["fp32", "ms per face"] < 300
    assert variants.choose_variant(table) == "fp32"


def test_losses_count_against_the_precision_that_the_gallery_was_made_with(backbone):
    table = variants.compare_variants("sample", replace(backbone, precision="int8"), runs=1)
    assert list(table.index) == ["int8", "fp32"]
    assert table["photos lost"].tolist() == [0, 0]  # fp32 gains on every figure
    assert table["answers changed"].tolist() == [0, 2]


@pytest.mark.parametrize(
    ("int8", "chosen"),
    [((24, 30, 1), "int8"), ((24, 30, 2), "fp32"), ((24, 64, 0), "int8"), ((24, 70, 0), "fp32")],
)
def test_the_fastest_that_loses_little_is_chosen_and_at_equal_speed_the_smaller(int8, chosen):
    columns = ["MB", "ms per face", "photos lost"]
    table = pd.DataFrame([(92, 60, 0), int8], index=["fp32", "int8"], columns=columns)
    assert variants.choose_variant(table) == chosen
