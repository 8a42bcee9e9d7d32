"""The bundle: the same inputs give the same bytes, it is torch's network, and what was changed in it is refused."""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import time
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from facecourse.core import paths
from facecourse.core.paths import MissingInput
from facecourse.deployment import bundle
from facecourse.detection.detector import mtcnn_folder
from facecourse.embedding.backbones import Backbone, find_backbone, save_backbone
from facecourse.embedding.galleries import load_gallery, save_gallery
from lambda_function.crops import Preprocessing, normalise
from lambda_function.gallery import Gallery
from lambda_function.pipeline import BUNDLE_FILES, BundleError, Recogniser, check_bundle, unpack_bundle

NAMES = ["Ada", "Bruno", "Chioma"]


def gallery_of(backbone="msceleb1m", **changes):
    """What notebooks 03 and 04 leave, for three people who do not exist."""
    vectors = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 3)))[0].T
    about = {"backbone": backbone, "views": 2}
    decided = {"threshold": 0.6, "calibration": (20.0, -12.0), "cohort_weight": 0.25, "about": about}
    return Gallery(NAMES, vectors, **{**decided, **changes})


@dataclass(frozen=True)
class Small(Backbone):
    """A backbone whose ONNX file is its weights, so that bundles take no time."""

    def onnx(self):
        return self.path


@pytest.fixture
def small(tmp_path, monkeypatch):
    """P-Net as the backbone, a detector of a few bytes, and outputs of the test's own with a gallery for them."""
    shutil.copyfile(mtcnn_folder() / "pnet.onnx", tmp_path / "weights.onnx")
    for name in ("pnet.onnx", "rnet.onnx", "onet.onnx"):
        (tmp_path / name).write_bytes(name.encode() * 9)
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path / "outputs")
    monkeypatch.setattr(bundle, "mtcnn_folder", lambda: tmp_path)
    backbone = Small("small", tmp_path / "weights.onnx", "0" * 64, Preprocessing(margin=16), views=2)
    save_gallery("sample", gallery_of(backbone.label))
    return backbone


@pytest.fixture(scope="module")
def msceleb1m():
    return find_backbone("msceleb1m", 2)


def test_the_recogniser_has_gallery_decision_and_preprocessing(msceleb1m, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path)
    save_gallery("sample", gallery_of())
    built = bundle.build_bundle("sample", msceleb1m)
    noise = np.random.default_rng(0).integers(0, 256, (2, 160, 160, 3), np.uint8)
    nobody = tmp_path / "unpacked"
    nobody.mkdir()
    unpack_bundle(built.with_suffix(".zip"), nobody)
    for place in (built, nobody):
        tool = Recogniser.load(place)
        # The zip, which is deployed, is the same without people.
        assert tool.gallery.labels == (NAMES if place == built else [])
        assert tool.gallery.threshold == 0.6 and tool.views == 2
        assert tool.gallery.calibration == (20.0, -12.0) and tool.gallery.cohort_weight == 0.25
        assert tool.embedder.preprocessing == msceleb1m.preprocessing and tool.embedder.dimension == 128
        assert tool.version.startswith("sample-msceleb1m-fp32-")
        assert np.array_equal(tool.embedder.embed(noise), msceleb1m.embedder().embed(noise))
    report = json.loads((tmp_path / "sample" / "report.json").read_text())
    size = (built / "backbone.onnx").stat().st_size / 1e6
    assert report["export"]["onnx_mb"] == pytest.approx(size, abs=0.01) and size > 80


def test_a_tuned_network_goes_from_its_file_through_gallery_and_threshold_into_the_bundle(
    msceleb1m, tmp_path, monkeypatch
):
    networks = bundle.mtcnn_folder()
    monkeypatch.setattr(bundle, "mtcnn_folder", lambda: networks)
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    network = msceleb1m.network()
    with torch.no_grad():
        network.last_linear.weight.mul_(torch.rand(128, 1) + 0.5)
    save_backbone(network, msceleb1m.preprocessing, tmp_path / "msceleb1m-tuned.pt")
    tuned = find_backbone(str(tmp_path / "msceleb1m-tuned.pt"), 2)
    save_gallery("sample", gallery_of(tuned.label))
    gallery = load_gallery("sample")
    built = bundle.build_bundle("sample", find_backbone(gallery.about["backbone"], gallery.about["views"]))
    tool, crops = (
        Recogniser.load(built),
        np.random.default_rng(1).integers(0, 256, (2, 160, 160, 3), np.uint8),
    )
    with torch.inference_mode():
        expected = network(torch.from_numpy(normalise(crops, "per_image"))).numpy()
    assert np.abs(tool.embedder.embed(crops) - expected).max() < 1e-4
    assert np.abs(msceleb1m.embedder().embed(crops) - expected).max() > 1e-2
    # Nothing of this machine is deployed, and what was trained on the gallery's people is said to be.
    assert tool.gallery.about["backbone"] == f"msceleb1m-tuned-{tuned.sha256[:8]}"
    assert tuned.tuned and not msceleb1m.tuned


def test_every_network_is_torchs(msceleb1m):
    table = bundle.export_parity(replace(msceleb1m, precision="int8"))
    assert list(table.index) == ["pnet", "rnet", "onet", "backbone"]
    assert table["largest difference"].between(0, 1e-4).all()


def test_parity_sees_a_changed_network(msceleb1m, tmp_path):
    """A backbone with one weight tensor 1 % larger is not torch's any more."""
    import onnx
    from onnx import numpy_helper

    from facecourse.embedding.export import parity

    model = onnx.load(msceleb1m.onnx())
    largest = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    largest.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(largest) * 1.01, largest.name))
    onnx.save(model, str(tmp_path / "changed.onnx"))
    assert parity(msceleb1m.network(), tmp_path / "changed.onnx") > 1e-4


def test_the_same_inputs_give_the_same_bytes_and_other_ones_another_version(small):
    built = bundle.build_bundle("sample", small)
    first = {path.name: path.read_bytes() for path in [*built.iterdir(), built.with_suffix(".zip")]}
    assert bundle.build_bundle("sample", small) == built
    assert first == {name: (built / name).read_bytes() for name in ("model.json", *BUNDLE_FILES)} | {
        "model.zip": built.with_suffix(".zip").read_bytes()
    }
    with zipfile.ZipFile(built.with_suffix(".zip")) as packed:
        own = {"model.json", "gallery.npz"}
        assert set(packed.namelist()) == {"model.json", *BUNDLE_FILES}
        assert all(packed.read(name) == first[name] for name in {*BUNDLE_FILES} - own)
        assert not any(packed.read(name) == first[name] for name in own)
    versions = {check_bundle(built)["version"]}
    for changed in (replace(small, precision="int8"), replace(small, views=1)):
        versions.add(check_bundle(bundle.build_bundle("sample", changed))["version"])
    for changed in ({"threshold": 0.61}, {"calibration": (20.0, -12.5)}, {"cohort_weight": 0.3}):
        save_gallery("sample", gallery_of(small.label, **changed))
        versions.add(check_bundle(bundle.build_bundle("sample", small))["version"])
    assert len(versions) == 6


@pytest.mark.parametrize("name", ["model.json", *BUNDLE_FILES])
def test_one_changed_byte_is_refused_wherever_it_is(small, name):
    built = bundle.build_bundle("sample", small)
    content = (built / name).read_bytes()
    for place in range(0, len(content), -(-len(content) // 200)):
        changed = bytearray(content)
        changed[place] ^= 1
        (built / name).write_bytes(changed)
        with pytest.raises(BundleError):
            check_bundle(built)
    (built / name).write_bytes(content)
    check_bundle(built)


def test_every_field_of_the_description_is_covered_by_the_version(small):
    built = bundle.build_bundle("sample", small)
    meta = json.loads((built / "model.json").read_text())
    fields = [(meta, key) for key in meta if not isinstance(meta[key], dict)]
    fields += [(inner, key) for inner in (meta["preprocessing"], meta["files"]) for key in inner]
    assert len(fields) == 5 + 5 + 5
    for owner, key in fields:
        other = {str: "other", list: [[0, 0]]}.get(type(owner[key]))
        before, owner[key] = owner[key], owner[key] + 1 if other is None else other
        (built / "model.json").write_text(json.dumps(meta))
        with pytest.raises(BundleError):
            check_bundle(built)
        owner[key] = before


def test_a_build_that_breaks_off_leaves_the_old_bundle_and_nothing_else(small, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    built = bundle.build_bundle("sample", small)
    before = sorted(path.name for path in built.parent.iterdir())
    monkeypatch.setattr(bundle, "write_zip", stop)
    with pytest.raises(KeyboardInterrupt):
        bundle.build_bundle("sample", small)
    assert sorted(path.name for path in built.parent.iterdir()) == before
    check_bundle(built)


def build_for_ever(backbone):
    for step in range(10**6):
        save_gallery("sample", gallery_of(backbone.label, threshold=0.5 + 0.1 * (step % 2)))
        bundle.build_bundle("sample", backbone)


@pytest.mark.skipif(sys.platform != "linux", reason="a fork inherits the test's small networks")
def test_a_killed_build_leaves_whole_bundles(small, tmp_path):
    built = bundle.build_bundle("sample", small)
    chance, found = np.random.default_rng(0), 0
    for turn in range(12):
        child = multiprocessing.get_context("fork").Process(target=build_for_ever, args=[small])
        child.start()
        time.sleep(chance.uniform(0.02, 0.1))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        if built.exists():  # between the old and the new folder there may be none
            check_bundle(built)
            found += 1
        unpacked = tmp_path / f"turn{turn}"
        unpacked.mkdir()
        unpack_bundle(built.with_suffix(".zip"), unpacked)
        check_bundle(unpacked)
        assert load_gallery("sample", decided=True).threshold in (0.5, 0.6)
    assert found >= 9


def test_what_is_missing_names_its_notebook_and_another_backbone_than_the_gallerys_is_refused(small):
    save_gallery("sample", gallery_of("vggface2"))
    with pytest.raises(ValueError, match="vggface2"):
        bundle.build_bundle("sample", small)
    save_gallery("sample", gallery_of(small.label, threshold=float("nan")))
    with pytest.raises(MissingInput, match="04_evaluate"):
        bundle.build_bundle("sample", small)
    (paths.OUTPUTS / "sample" / "gallery.npz").unlink()
    with pytest.raises(MissingInput, match="03_finetune"):
        bundle.build_bundle("sample", small)
