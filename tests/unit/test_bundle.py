"""The bundle: the same inputs give the same bytes, it is torch's network, and it says when something is missing."""

import json
import zipfile

import numpy as np
import pytest

from facecourse.core import paths
from facecourse.core.paths import MissingInput
from facecourse.deployment import bundle, variants
from facecourse.heads.saved_head import save_head
from facecourse.metrics.open_set import save_decision
from lambda_function.pipeline import BUNDLE_FILES, BundleError, Recogniser, check_bundle, sha256_of

NAMES = ["Ada", "Bruno", "Chioma"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What notebooks 03 and 04 leave, for three people who do not exist."""
    patch = pytest.MonkeyPatch()
    patch.setattr(paths, "OUTPUTS", tmp_path_factory.mktemp("outputs"))
    vectors = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 3)))[0].T
    save_head("sample", NAMES, vectors, 30.0, backbone="msceleb1m", views=2)
    save_decision("sample", 0.6, (20.0, -12.0), "test")
    yield paths.OUTPUTS / "sample"
    patch.undo()


@pytest.fixture(scope="module")
def built(outputs):
    return bundle.build_bundle("sample")


def test_it_holds_gallery_threshold_preprocessing_and_version(built):
    tool = Recogniser.load(built)
    assert tool.gallery.labels == NAMES and tool.gallery.threshold == 0.6
    assert tool.gallery.calibration == (20.0, -12.0) and tool.views == 2
    assert tool.embedder.preprocessing.normalise == "per_image" and tool.embedder.dimension == 128
    assert tool.version.startswith("sample-msceleb1m-fp32-")


def test_the_same_inputs_give_the_same_bytes(built):
    first = sha256_of(built.with_suffix(".zip")), sha256_of(built / "model.json")
    assert (
        bundle.build_bundle("sample") == built
        and (sha256_of(built.with_suffix(".zip")), sha256_of(built / "model.json")) == first
    )


def test_another_threshold_is_another_version(outputs, built):
    before = json.loads((built / "model.json").read_text())["version"]
    save_decision("sample", 0.61, (20.0, -12.0), "test")
    try:
        bundle.build_bundle("sample")
        assert json.loads((built / "model.json").read_text())["version"] != before
    finally:
        save_decision("sample", 0.6, (20.0, -12.0), "test")
        bundle.build_bundle("sample")


def test_every_network_is_torchs(built):
    table = bundle.bundle_parity(built)
    assert list(table.index) == ["pnet", "rnet", "onet", "backbone"]
    assert table["largest difference to torch"].between(0, 1e-4).all()


def test_the_report_has_size_and_parity(outputs, built):
    export = json.loads((outputs / "report.json").read_text())["export"]
    assert export["onnx_mb"] == pytest.approx((built / "backbone.onnx").stat().st_size / 1e6, abs=0.01)
    assert 0 <= export["parity_max_abs_diff"] <= 1e-4


def test_parity_sees_a_changed_network(built, tmp_path):
    """A backbone with one weight tensor shifted is not torch's any more."""
    import onnx
    from onnx import numpy_helper

    from facecourse.embedding.backbones import load_backbone
    from facecourse.embedding.export import parity

    model = onnx.load(built / "backbone.onnx")
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * 1.01, largest.name))
    onnx.save(model, str(tmp_path / "changed.onnx"))
    assert parity(load_backbone("msceleb1m")[0], tmp_path / "changed.onnx") > 1e-4


def test_the_zip_is_the_folder(built):
    with zipfile.ZipFile(built.with_suffix(".zip")) as packed:
        assert sorted(packed.namelist()) == sorted(path.name for path in built.iterdir())
        assert all(packed.read(path.name) == path.read_bytes() for path in built.iterdir())
    assert Recogniser.load(built.with_suffix(".zip")).gallery.labels == NAMES


@pytest.mark.parametrize("name", [BUNDLE_FILES[0], BUNDLE_FILES[-1]])
def test_one_changed_byte_is_seen(built, tmp_path, name):
    for path in built.iterdir():
        (tmp_path / path.name).symlink_to(path)
    damaged = bytearray((built / name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(BundleError, match=name):
        check_bundle(tmp_path)


def test_another_versions_bundle_says_so(built, tmp_path):
    for path in built.iterdir():
        (tmp_path / path.name).symlink_to(path)
    described = json.loads((built / "model.json").read_text())
    del described["views"], described["crowd"]
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(BundleError, match="without crowd, views: build it anew with notebook 05"):
        Recogniser.load(tmp_path)


def test_a_build_that_breaks_off_leaves_the_old_bundle(built, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    before = sorted(path.name for path in built.parent.iterdir())
    monkeypatch.setattr(bundle, "check_bundle", stop)
    with pytest.raises(KeyboardInterrupt):
        bundle.build_bundle("sample")
    assert sorted(path.name for path in built.parent.iterdir()) == before
    assert check_bundle(built)["threshold"] == 0.6


@pytest.mark.parametrize(("missing", "notebook"), [("head.npz", "03_finetune"), ("decision.json", "04_eval")])
def test_what_is_missing_names_its_notebook(outputs, missing, notebook):
    path = outputs / missing
    path.rename(outputs / "hidden")
    try:
        with pytest.raises(MissingInput, match=notebook):
            bundle.build_bundle("sample")
    finally:
        (outputs / "hidden").rename(path)


def table_of(**rows):
    import pandas as pd

    columns = ["MB", "ms per face", "points lost"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def test_the_fastest_that_loses_little_is_chosen():
    assert variants.choose_variant(table_of(fp32=(92, 60, 0), fp16=(46, 61, 0), int8=(24, 30, 0.1))) == "int8"
    assert variants.choose_variant(table_of(fp32=(92, 60, 0), fp16=(46, 61, 0), int8=(24, 30, 0.2))) == "fp16"
    assert variants.choose_variant(table_of(fp32=(92, 60, 0), fp16=(46, 90, 0), int8=(24, 30, 0.2))) == "fp32"
