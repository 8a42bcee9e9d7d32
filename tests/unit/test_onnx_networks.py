"""Backbones that come as ONNX files: described, checked, folded, and the same numbers as onnx's own evaluator gives."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnxruntime import InferenceSession

from facecourse.core import paths
from facecourse.core.onnx_files import split_prelu, unblocked
from facecourse.core.sources import SourceError
from facecourse.deployment.bundle import build_bundle
from facecourse.detection_lesson.alignment import celebrity_faces
from facecourse.embedding.backbones import ARCFACE, BackboneError, find_backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.embedding.galleries import save_gallery
from facecourse.embedding.onnx_networks import adopt, parity, read_description
from facecourse.metrics.verification import all_pairs, tar_at_fmr
from lambda_function.crops import Preprocessing, alternate_crop, crop_face
from lambda_function.faces import Face
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser

SIDE, NUMBERS = 12, 4
DESCRIPTION = {"size": SIDE, "normalise": "fixed", "dimension": NUMBERS}


def network(nodes, weights=(), side=SIDE, batch=1, answers=("y",)):
    """A graph from x, (batch, 3, side, side), to the answers; `weights` are (name, array)."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, side, side])
    ys = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in answers]
    known = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights]
    graph = helper.make_graph(nodes, "g", [x], ys, known)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def face_network(side=SIDE, **more):
    """The smallest embedder: a dense layer."""
    weight = np.random.default_rng(0).normal(size=(3 * side * side, NUMBERS)).astype(np.float32)
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    return network(nodes, [("w", weight)], side, **more)


@pytest.fixture
def own(tmp_path):
    """Write own.onnx and own.json, and return the path of the first."""

    def write(model=None, said=DESCRIPTION):
        path = tmp_path / "own.onnx"
        path.write_bytes(model if isinstance(model, bytes) else (model or face_network()).SerializeToString())
        if said is not None:
            path.with_suffix(".json").write_text(said if isinstance(said, str) else json.dumps(said))
        return path

    return write


def test_an_own_file_is_a_backbone_by_its_path(own):
    path = own(said=DESCRIPTION | {"template": [[x / 10, y / 10] for x, y in ARCFACE]})
    backbone = find_backbone(f"{path}-int8", 2)
    assert (backbone.name, backbone.precision, backbone.dimension) == ("own", "int8", NUMBERS)
    assert backbone.preprocessing.align and len(backbone.preprocessing.template) == 5
    assert find_backbone(backbone.label, 2) == backbone and not backbone.trainable
    with pytest.raises(BackboneError, match="own is an ONNX file, which torch cannot train"):
        backbone.network()
    found = InferenceSession(adopt(path, SIDE, NUMBERS)).run(None, {"x": np.ones((5, 3, SIDE, SIDE), "f4")})[
        0
    ]
    expected = np.random.default_rng(0).normal(size=(3 * SIDE * SIDE, NUMBERS)).sum(0)
    assert found.shape == (5, NUMBERS) and np.abs(found - expected).max() < 1e-3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (None, "needs a description beside it, own.json"),
        ("{size: 112}", "own.json is not JSON"),
        ([1], "does not say everything"),
        ({"size": 112}, "does not say normalise, dimension"),
        (DESCRIPTION | {"size": 0}, "whole numbers from 1 on, not 0"),
        (DESCRIPTION | {"size": "112"}, "whole numbers"),
        (DESCRIPTION | {"dimension": 2.5}, "whole numbers from 1 on, not 2.5"),
        (DESCRIPTION | {"normalise": "imagenet"}, "normalise is one of per_image, fixed, none"),
        (DESCRIPTION | {"template": [[1, 2]] * 4}, "template has 4 points, not 5"),
        (DESCRIPTION | {"template": [1, 2, 3, 4, 5]}, "own.json: "),
        (DESCRIPTION | {"mean": 0.5}, "mean"),
    ],
)
def test_what_a_description_lacks_or_has_wrong_is_said(own, said, message):
    with pytest.raises(BackboneError, match=message):
        read_description(own(said=said))


def mixing():
    """A network that takes the mean of its batch off each face."""
    model = face_network(batch="n")
    model.graph.node[1].output[0] = "before"
    model.graph.node.append(
        helper.make_node("ReduceMean", ["before", "axes"], ["mean"], keepdims=1, noop_with_empty_axes=0)
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([0]), "axes"))
    model.graph.node.append(helper.make_node("Sub", ["before", "mean"], ["y"]))
    return model


def one_face_only():
    """A network whose graph says how many faces there are."""
    model = face_network()
    model.graph.node[0].CopyFrom(helper.make_node("Reshape", ["x", "shape"], ["f"]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 3 * SIDE * SIDE]), "shape"))
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (b"<html>404</html>", "not an ONNX file"),
        (b"", "not an ONNX file"),
        (face_network(side=16), r"takes an input of \[1, 3, 16, 16\], not of faces, \(n, 3, 12, 12\)"),
        (face_network(answers=("y", "f")), "1 inputs and 2 outputs"),
        (mixing(), "other numbers when a second one is beside it"),
        (one_face_only(), "does not run on two faces"),
    ],
)
def test_a_file_that_embeds_no_faces_is_refused(own, model, message):
    with pytest.raises(BackboneError, match=message):
        adopt(own(model), SIDE, NUMBERS)


def test_another_dimension_than_described_is_refused(own):
    with pytest.raises(BackboneError, match=r"gives \[2, 4\] for two faces, not \[2, 128\]"):
        adopt(own(), SIDE, 128)


@pytest.mark.parametrize(("axis", "block", "scales"), [(1, 0, ()), (0, 0, (6,)), (1, 4, (6, 3))])
def test_weights_in_blocks_become_the_numbers_that_onnx_says(axis, block, scales):
    rng = np.random.default_rng(1)
    scale = rng.random(scales).astype(np.float32)
    zero = rng.integers(-9, 9, scales).astype(np.int8)
    weights = [("q", rng.integers(-128, 128, (6, 12)).astype(np.int8)), ("s", scale), ("z", zero)]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["w"], axis=axis, block_size=block),
        helper.make_node("Reshape", ["w", "shape"], ["k"]),
        helper.make_node("Conv", ["x", "k"], ["y"]),
    ]
    model = network(nodes, [*weights, ("shape", np.array([2, 3, 2, 6]))], side=6)
    x = {"x": rng.random((1, 3, 6, 6)).astype(np.float32)}
    expected = ReferenceEvaluator(model).run(None, x)[0]
    folded = unblocked(model)
    assert [node.op_type for node in folded.graph.node] == ["Conv"] and len(folded.graph.initializer) == 1
    assert np.abs(InferenceSession(folded.SerializeToString()).run(None, x)[0] - expected).max() < 1e-2


def test_a_prelu_in_two_convolutions_is_the_same_prelu():
    slope = np.array([0.3, -0.2, 1.7], np.float32).reshape(3, 1, 1)
    model = network([helper.make_node("PRelu", ["x", "a"], ["y"])], [("a", slope)])
    x = {"x": np.random.default_rng(2).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32)}
    expected = np.where(x["x"] > 0, x["x"], slope * x["x"])
    changed = split_prelu(model)
    assert "PRelu" not in {node.op_type for node in changed.graph.node}
    assert np.abs(InferenceSession(changed.SerializeToString()).run(None, x)[0] - expected).max() < 1e-6


def test_a_face_lies_on_the_template_and_the_second_cut_is_closer():
    own = Preprocessing(size=112, align=True, normalise="none", template=[list(point) for point in ARCFACE])
    assert own.template == ARCFACE and hash(own) == hash(Preprocessing(112, 32, True, "none", ARCFACE))
    turn = np.array([[0, -2.5], [2.5, 0]])  # a quarter turn, and larger
    landmarks = (np.array(ARCFACE) @ turn.T + [400, 100]).astype(np.float32)
    image = np.zeros((500, 500, 3), np.uint8)
    for x, y in landmarks.astype(int):
        image[y - 7 : y + 8, x - 7 : x + 8] = 255
    face = Face(np.array([100, 100, 400, 400], np.float32), landmarks, 1.0)
    for cut, factor in ((own, 1), (alternate_crop(own), 1.08)):
        crop = crop_face(image, face, cut)
        places = ((np.array(ARCFACE) - 56) * factor + 56).round().astype(int)
        assert crop.shape == (112, 112, 3)
        assert all(crop[y - 1 : y + 2, x - 1 : x + 2].mean() > 150 for x, y in places)


# ---- sface ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sface():
    try:
        return find_backbone("sface", 2)
    except SourceError:
        pytest.skip("SFace is not here: no package registry")


def test_sface_is_the_network_that_its_file_says(sface):
    assert parity(sface.path, sface.onnx(), 112) < 1e-5
    assert not {"PRelu", "DequantizeLinear"} & {node.op_type for node in onnx.load(sface.onnx()).graph.node}


def test_sface_tells_real_people_apart(sface):
    """0.945; with reversed colours it is 0.914, with crops along the box 0.599."""
    real = celebrity_faces(progress=False)
    photos = (real[column].tolist() for column in ("path", "sha256", "face"))
    scores, same = all_pairs(embed_faces(*photos, sface, progress=False), real["name"].to_numpy())
    assert tar_at_fmr(scores, same, 0.01) > 0.93


def test_the_function_serves_a_bundle_of_sface(sface, tmp_path, monkeypatch):
    real = celebrity_faces(progress=False).iloc[::30]
    rows = embed_faces(
        *(real[column].tolist() for column in ("path", "sha256", "face")), sface, progress=False
    )
    about = {"backbone": sface.label, "views": 2}
    monkeypatch.setattr(paths, "OUTPUTS", tmp_path)
    save_gallery("sample", Gallery(real["name"].tolist(), rows, 0.4, (20.0, -8.0), about=about))
    recogniser = Recogniser.load(build_bundle("sample", sface))
    assert recogniser.embedder.preprocessing == sface.preprocessing and recogniser.version.startswith(
        "sample-sface-fp32-"
    )
    for path, name in zip(real["path"], real["name"], strict=True):
        faces = recogniser.recognise(open_photo(path))
        assert max(faces, key=lambda face: face["score"])["name"] == name
        assert max(face["score"] for face in faces) > 0.999
