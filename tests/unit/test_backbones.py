"""Weights from elsewhere: fetched with resume, read without executing anything, fitted tensor by tensor."""

import hashlib
import json
import os
import pickle

import numpy as np
import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from facecourse.core import paths
from facecourse.core.sources import SourceError
from facecourse.embedding.backbones import (
    BackboneError,
    _listed_backbone,
    build,
    find_backbone,
    save_backbone,
)
from facecourse.embedding.export import fold
from facecourse.embedding.keras import keras_state
from facecourse.embedding.slim import slim_state
from lambda_function.crops import Preprocessing
from tests.conftest import ROOT
from tests.unit.file_server import serving

RELEASE = "20180402-114759-vggface2.pt"
KERAS = ROOT / "data/downloads/msceleb1m/facenet_keras.h5"
FROZEN = ROOT / "data/downloads/casia-webface/graph_final.pb"


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A file like those of facenet-pytorch's release: a state_dict with the classifier still in it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("release") / RELEASE
    torch.save(InceptionResnetV1(num_classes=5).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def state(release):
    whole = torch.load(release, weights_only=True)
    return {name: tensor for name, tensor in whole.items() if not name.startswith("logits")}


@pytest.fixture(autouse=True)
def elsewhere(own_downloads):
    _listed_backbone.cache_clear()
    yield
    _listed_backbone.cache_clear()


def describe(mirror, data, hashes=None):
    known = [f"sha256:{hashlib.sha256(data).hexdigest()}"] if hashes is None else hashes
    entry = {"what": "weights", "licence": "MIT", "citation": "x", "size": len(data)}
    (paths.DATA / "sources.json").write_text(
        json.dumps({RELEASE: entry | {"mirrors": [mirror], "hashes": known}})
    )


def test_a_release_file_is_fetched_in_two_pieces_checked_and_built(release, state):
    data = release.read_bytes()
    with serving({RELEASE: data}) as server:
        describe(f"{server.url}/{RELEASE}", data)
        server.faults[RELEASE] = [("cut", 40_000_000), None]
        backbone = find_backbone("vggface2")
        assert [asked is None for _, asked, _ in server.requests] == [True, False]  # the second piece only
    network = backbone.network()
    assert backbone.label == "vggface2" and backbone.preprocessing.normalise == "fixed"
    assert network.last_linear.weight.equal(state["last_linear.weight"]) and not network.training
    with torch.inference_mode():
        rows = network(torch.zeros(1, 3, 160, 160))
    assert rows.shape == (1, 512) and torch.linalg.norm(rows).item() == pytest.approx(1, abs=1e-5)


def test_where_the_release_is_unavailable_the_error_says_what_to_do():
    describe("http://127.0.0.1:9/weights.pt", b"x")
    with pytest.raises(SourceError, match=f"{RELEASE}(?s:.*)FACECOURSE_MIRROR"):
        find_backbone("vggface2")


def test_a_wrong_hash_is_no_weights_file():
    with serving({RELEASE: b"another file"}) as server:
        describe(f"{server.url}/{RELEASE}", b"the file", ["sha256:" + "0" * 64])
        with pytest.raises(SourceError, match="right hash"):
            find_backbone("vggface2")
    assert not (paths.DOWNLOADS / RELEASE).exists()


class Attack:
    """A pickle that leaves a mark when it is loaded without care."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_code_in_a_weights_file_is_refused_and_not_run(tmp_path, how):
    path, mark = tmp_path / "own.pt", tmp_path / "mark"
    if how == "torch":
        torch.save({"last_linear.weight": Attack(mark)}, path)
    else:
        path.write_bytes(pickle.dumps(Attack(mark)))
    with pytest.raises(BackboneError, match="own.pt cannot be read as plain tensors"):
        find_backbone(str(path)).network()
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"PK\3\4 cut off", None])
def test_a_damaged_file_is_said_to_be_one_and_an_unknown_name_lists_the_known_ones(tmp_path, content):
    path = tmp_path / "own.pt"
    if content is None:
        torch.save([torch.zeros(3)], path)  # no state_dict
    else:
        path.write_bytes(content)
    with pytest.raises(BackboneError, match="own.pt"):
        find_backbone(str(path)).network()
    with pytest.raises(BackboneError, match="msceleb1m, vggface2, casia-webface"):
        find_backbone("resnet50")


def test_a_left_out_block_adds_nothing(state):
    nothing = {k: v * 0 if k.startswith("repeat_3.2.conv2d.") else v for k, v in state.items()}
    smaller = build({k: v for k, v in state.items() if not k.startswith("repeat_3.2.")})
    pixels = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, whole = build(nothing)(pixels), build(state)(pixels)
        assert torch.allclose(fold(smaller)(pixels), expected, atol=1e-5)
    assert not torch.allclose(expected, whole, atol=1e-3)


def test_every_tensor_must_be_there_in_its_shape_and_no_other(state):
    less = {name: tensor for name, tensor in state.items() if name != "repeat_1.0.conv2d.bias"}
    with pytest.raises(BackboneError, match=r"missing tensors: \['repeat_1.0.conv2d.bias'\]"):
        build(less)
    with pytest.raises(BackboneError, match=r"superfluous: \['extra'\]"):
        build({**state, "extra": torch.zeros(1)})
    with pytest.raises(BackboneError, match="last_linear.weight is missing"):
        build({"fc.weight": torch.zeros(3, 3)})
    with pytest.raises(BackboneError, match=r"conv2d_1a.conv.weight: \[32, 1, 3, 3\], not \[32, 3, 3, 3\]"):
        build({**state, "conv2d_1a.conv.weight": torch.zeros(32, 1, 3, 3)})


def test_own_weights_bring_their_preprocessing_along(tmp_path, state, monkeypatch):
    network, settings_of_it = build(state), Preprocessing(normalise="per_image", margin=0.3)
    save_backbone(network, settings_of_it, tmp_path / "tuned.pt")
    backbone = find_backbone(f"{tmp_path / 'tuned.pt'}-int8")
    assert (backbone.name, backbone.precision) == (
        "tuned",
        "int8",
    ) and backbone.preprocessing == settings_of_it
    assert find_backbone(backbone.label) == backbone
    monkeypatch.setattr(paths, "ROOT", tmp_path)  # a path as `make run` takes it, in a notebook's folder
    assert find_backbone("tuned.pt").path == tmp_path / "tuned.pt"
    save_backbone(network, Preprocessing(margin=8), tmp_path / "again.pt")
    (tmp_path / "again.pt").replace(tmp_path / "tuned.pt")  # notebook 03, run once more in the same kernel
    again = find_backbone("tuned.pt")
    assert again.preprocessing.margin == 8 and again.sha256 != backbone.sha256
    save_backbone(network, settings_of_it, tmp_path / "tuned.pt")
    found, expected = backbone.network().state_dict(), network.state_dict()
    assert found.keys() == expected.keys() and all(found[name].equal(expected[name]) for name in expected)


# ---- msceleb1m -----------------------------------------------------------------------------------------


def test_all_490_tensors_of_the_real_file_find_their_place():
    if not KERAS.exists():
        pytest.skip("the msceleb1m weights have not been fetched: make setup")
    import h5py

    found = keras_state(KERAS)
    with h5py.File(KERAS) as file:
        layers = file["model_weights"]
        count = [0]
        layers.visititems(lambda _, item: count.__setitem__(0, count[0] + isinstance(item, h5py.Dataset)))
        kernel = layers["Conv2d_1a_3x3/Conv2d_1a_3x3/kernel:0"][()]
        bottleneck = layers["Bottleneck/Bottleneck/kernel:0"][()]
    made_up = sum(name.endswith(("num_batches_tracked", "bn.weight")) for name in found)
    assert count[0] == 490 == len(found) - made_up
    assert np.array_equal(found["conv2d_1a.conv.weight"].numpy(), kernel.transpose(3, 2, 0, 1))
    assert np.array_equal(found["last_linear.weight"].numpy(), bottleneck.T)
    assert found["last_linear.weight"].shape == (128, 1792)
    assert build(found).last_bn.eps == 0.001


def test_another_h5_file_is_refused(tmp_path):
    import h5py

    path = tmp_path / "model.h5"
    path.write_bytes(b"no h5 at all")
    with pytest.raises(BackboneError, match="not a Keras weights file"):
        keras_state(path)
    with h5py.File(path, "w") as file:
        file["model_weights/Dense/Dense/kernel:0"] = np.zeros(3)
    with pytest.raises(BackboneError, match="has no tensor Conv2d_1a_3x3/kernel:0"):
        keras_state(path)


# ---- casia-webface -------------------------------------------------------------------------------------


def test_the_frozen_graph_of_casia_webface_becomes_a_network_that_embeds():
    if not FROZEN.exists():
        pytest.skip("casia-webface has not been fetched: BACKBONE=casia-webface fetches it")
    network = build(slim_state(FROZEN))
    pixels = torch.linspace(-1, 1, 3 * 160 * 160).reshape(1, 3, 160, 160)
    with torch.inference_mode():
        row = network(pixels)[0]
    # As an evaluator of TensorFlow's graph gives them, which shares no code with facenet-pytorch.
    assert row.shape == (512,) and row[:4].tolist() == pytest.approx(
        [-0.037753, 0.066719, 0.054426, -0.044434], abs=1e-5
    )


@pytest.mark.parametrize("data", (b"no graph", b"\x0a\x7f\x0a", b""))
def test_another_pb_file_is_refused(data, tmp_path):
    path = tmp_path / "graph.pb"
    path.write_bytes(data)
    with pytest.raises(BackboneError, match="graph.pb (is not a frozen TensorFlow graph|has no tensor)"):
        slim_state(path)
