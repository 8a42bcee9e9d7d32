"""The functions that readers see and change in the notebooks do what the package's own do."""

import ast
import base64
import json

import imagehash
import numpy as np
import pandas as pd
import pytest
import torch
from onnxruntime import InferenceSession
from PIL import Image
from sklearn.metrics import roc_curve

import utils
from facecourse.detection.detector import detector, mtcnn_folder
from facecourse.detection_lesson.stages import CASCADE, WEIGHTS, trace
from facecourse.embedding.backbones import find_backbone
from facecourse.heads.cosine import CosineHead
from facecourse.heads.training import Trainer
from facecourse.lessons import robustness
from facecourse.metrics.open_set import OpenSet, reliability
from facecourse.metrics.uncertainty import mcnemar
from facecourse.metrics.verification import tar_at_fmr
from facecourse.photos import examine
from facecourse.photos.splits import course_split
from lambda_function import boxes, crops
from lambda_function.app import Application
from lambda_function.faces import Face
from lambda_function.gallery import Gallery
from lambda_function.mtcnn import windows_of
from lambda_function.photos import open_photo
from lambda_function.pipeline import Recogniser
from lambda_function.settings import Settings
from tests.conftest import ROOT


def of_notebook(name: str, *functions: str) -> list:
    """Return functions of a notebook's cells, with what these cells import and nothing else of the notebook."""
    space = {"np": np, "pd": pd, "utils": utils, "root": ROOT}
    for cell in json.loads((ROOT / f"notebooks/{name}.ipynb").read_text())["cells"]:
        if cell["cell_type"] != "code" or "exercise" in cell["metadata"].get("tags", []):
            continue
        source = "".join(cell["source"])
        if not any(f"def {function}(" in source for function in functions):
            continue
        kept = (ast.Import, ast.ImportFrom, ast.FunctionDef)
        part = [node for node in ast.parse(source).body if isinstance(node, kept)]
        exec(compile(ast.Module(part, []), name, "exec"), space)
    return [space[function] for function in functions]


@pytest.fixture(scope="module")
def photo():
    return open_photo(next(iter(sorted((ROOT / "data/group").glob("*.jpg")))))


def test_p_net_on_one_level_and_nms_give_the_detectors_boxes(photo):
    propose, nms = of_notebook("02_detect_faces", "propose", "nms")
    propose.__globals__["pnet"] = InferenceSession(mtcnn_folder() / "pnet.onnx")
    level = trace(photo).maps[3]
    found, probability, offsets = propose(photo, level.scale)
    expected = windows_of(level, 0.6)
    assert len(found) == len(expected) > 20
    assert np.abs(np.column_stack([found, probability, offsets]) - expected).max() < 1e-3
    chance = np.random.default_rng(0)
    corner, scores = chance.integers(0, 100, (300, 2)), chance.permutation(300).astype(np.float32)
    many = np.hstack([corner, corner + chance.integers(10, 60, (300, 2))]).astype(np.float32)
    for threshold in (0.05, 0.3, 0.7):
        assert nms(many, scores, threshold).tolist() == boxes.nms(many, scores, threshold).tolist()
    assert nms(many[:0], scores[:0], 0.5).tolist() == []


def test_the_similarity_transform_is_that_of_the_crops():
    (similarity,) = of_notebook("02_detect_faces", "similarity")
    chance = np.random.default_rng(0)
    points, targets = chance.normal(size=(5, 2)), chance.normal(size=(5, 2))
    assert similarity(points, targets) == pytest.approx(crops.similarity_transform(points, targets))


def test_the_mask_is_that_of_the_worse_photos(photo):
    (drawn,) = of_notebook("03_finetune", "masked")
    points = np.float32([[300, 300], [360, 310], [328, 340], [302, 372], [350, 380]])
    face = Face(np.float32([270, 240, 390, 410]), points, 1.0)
    assert (drawn(photo, face) == robustness.masked(photo, face)).all() and (
        drawn(photo, face) != photo
    ).any()


def test_sharpness_hash_and_sides_are_those_of_the_manifest(photo):
    sharpness, perceptual_hash, sides_of = of_notebook(
        "01_assemble_dataset", "sharpness", "perceptual_hash", "sides_of"
    )
    face = photo[:112, :112]
    assert sharpness(face) == pytest.approx(examine.sharpness(face, np.array([0, 0, 112, 112])), rel=1e-4)
    assert (perceptual_hash(photo) == imagehash.phash(Image.fromarray(photo)).hash).all()
    sums = [f"{value:064x}" for value in np.random.default_rng(0).permutation(17)]
    split = course_split(["Ada"] * 17, sums, range(17), ["people"] * 17, [True] * 17)
    assert [sides_of(sums)[value] for value in sums] == split


@pytest.mark.parametrize(("kind", "margin"), [("softmax", 0.0), ("cosface", 0.2), ("arcface", 0.3)])
def test_logits_and_one_step_are_those_of_head_and_trainer(kind, margin):
    logits, train_epochs = of_notebook("03_finetune", "logits", "train_epochs")
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(20, 8)).astype(np.float32)
    inputs = torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    labels, start = torch.arange(20) % 4, chance.normal(size=(4, 8)).astype(np.float32)
    head = CosineHead(start, kind)
    head.log_scale.requires_grad_(False)
    for given in (None, labels):
        mine = logits(inputs, torch.from_numpy(start), given, kind, 30.0, margin)
        assert torch.allclose(mine, head(inputs, given), atol=1e-4)
    vectors = torch.nn.Parameter(torch.tensor(start))
    loss_of = lambda x, y: torch.nn.functional.cross_entropy(logits(x, vectors, y, kind, 30.0, margin), y)  # noqa: E731
    losses = train_epochs([vectors], loss_of, inputs, labels, epochs=1, rate=0.01)
    trainer = Trainer(head, (inputs, labels), (inputs, labels), 0.01)
    loss, _ = trainer.step(torch.arange(20))
    assert losses == pytest.approx([loss / 20], rel=1e-4)
    assert torch.allclose(vectors.detach(), head.weight.detach().cpu(), atol=1e-5)
    assert not torch.allclose(vectors.detach(), torch.from_numpy(start), atol=1e-3)


def test_the_triplet_loss_is_zero_once_the_margin_is_kept_and_falls_to_it():
    (triplet_loss,) = of_notebook("03_finetune", "triplet_loss")
    apart = torch.tensor([[1.0, 0], [0.99, 0.14], [-1, 0], [-0.99, 0.14]])
    assert triplet_loss(apart, torch.tensor([0, 0, 1, 1]), margin=0.3) == 0
    mixed = triplet_loss(apart, torch.tensor([0, 1, 0, 1]), margin=0.3)  # farthest 2.0, nearest about 0.14
    assert float(mixed) == pytest.approx(2 - 0.14 + 0.3, abs=0.02)


def test_the_drawn_networks_have_the_real_ones_weights_and_sizes():
    from facenet_pytorch.models import mtcnn

    for name, network in (("P-Net", mtcnn.PNet), ("R-Net", mtcnn.RNet), ("O-Net", mtcnn.ONet)):
        network, drawn = network().eval(), [step for step in CASCADE[name] if step[0].isdigit()]
        assert sum(weight.numel() for weight in network.parameters()) == WEIGHTS[name]
        side, shapes, passed = int(drawn[0].split()[0]), [], []
        for layer in network.modules():
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.MaxPool2d, torch.nn.Linear)):
                layer.register_forward_hook(lambda *a, seen=passed: seen.append(a[2].shape))
        network(torch.zeros(1, 3, side, side))
        shapes = [f"{shape[2] if len(shape) == 4 else 1} {shape[1]}" for shape in passed]
        inner = [shape for shape in shapes if shape not in ("1 2", "1 4", "1 10")]  # the answers
        assert inner == drawn[1:-1]
        answers = sum(int(shape.split()[1]) for shape in shapes if shape in ("1 2", "1 4", "1 10"))
        assert answers == int(drawn[-1].split()[1])


def test_two_heads_are_compared_as_two_systems_are():
    (ours,) = of_notebook("03_finetune", "mcnemar")
    chance = np.random.default_rng(0)
    first, second = chance.random(200) < 0.9, chance.random(200) < 0.7
    only_first, only_second, p = ours(first, second)
    assert only_first > only_second > 0 and p == pytest.approx(mcnemar(first, second)) and p < 0.01
    assert ours(first, first) == (0, 0, 1.0)


def test_both_errors_at_every_threshold_are_those_of_the_roc_curve():
    (error_rates,) = of_notebook("04_evaluate", "error_rates")
    chance = np.random.default_rng(0)
    same = chance.random(500) < 0.3
    scores = (chance.normal(size=500) + same).round(1).astype(np.float32)  # many are equal
    thresholds, fmr, fnmr = error_rates(scores, same)
    expected = roc_curve(same, scores, drop_intermediate=False)
    assert (thresholds == expected[2][1:]).all()
    assert fmr == pytest.approx(expected[0][1:]) and 1 - fnmr == pytest.approx(expected[1][1:])
    assert 1 - fnmr[fmr <= 0.1][-1] == pytest.approx(tar_at_fmr(scores, same, 0.1))


def test_the_plain_threshold_lets_as_many_strangers_pass_as_the_packages():
    (threshold_at,) = of_notebook("04_evaluate", "threshold_at")
    strangers = np.random.default_rng(0).random(300).astype(np.float32)
    for fpir in (0.0, 0.01, 0.29):
        ours = threshold_at(strangers, fpir)
        theirs = OpenSet(np.zeros(0), np.zeros(0, bool), strangers).threshold_at(fpir)
        assert (strangers >= ours).sum() == (strangers >= theirs).sum() == round(300 * fpir)


def test_the_bins_are_those_of_the_reliability_diagram():
    (reliability_bins,) = of_notebook("04_evaluate", "reliability_bins")
    chance = np.random.default_rng(0)
    confidence = np.append(chance.random(200), [0.0, 1.0])
    right, mated = chance.random(202) < confidence, np.arange(202) < 40
    weight = np.where(mated, 0.5 / mated.sum(), 0.5 / (~mated).sum())
    whole = reliability(confidence, right, mated, np.arange(202))
    ours, theirs = reliability_bins(confidence, right, weight), whole.table[["said", "found", "photos"]]
    assert np.allclose(ours.to_numpy(float), theirs.to_numpy(float)) and len(ours) == 8
    assert np.average((confidence - right) ** 2, weights=weight) == pytest.approx(whole.brier)


@pytest.fixture(scope="module")
def recogniser(photo):
    """It knows two of the people on a photo, and those whom `strangers` adds."""
    own = Recogniser(detector(), find_backbone("msceleb1m").embedder(), Gallery([], np.zeros((0, 128))))
    x = own.look(photo).embeddings[:2]
    own.gallery = Gallery(["Ada", "Bo"], x, threshold=0.7)
    return own


@pytest.mark.parametrize("strangers", [0, 120])
def test_a_photo_is_named_as_the_pipeline_names_it(photo, recogniser, strangers):
    (name_faces,) = of_notebook("06_try_it", "name_faces")
    others = np.random.default_rng(0).normal(size=(strangers, 128)).astype(np.float32)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    own, before = recogniser.gallery, recogniser.gallery.vectors
    labels = [*own.labels, *map(str, range(strangers))]
    large = Gallery(labels, np.vstack([before, others]), own.threshold, cohort_weight=0.5)
    faces, names, scores = name_faces(photo, Recogniser(recogniser.detector, recogniser.embedder, large))
    expected = recogniser.look(photo).names(large)
    assert names == [face["name"] for face in expected] and {"Ada", "Bo", "unknown"} == set(names)
    assert scores == pytest.approx([face["score"] for face in expected], abs=1e-4)
    assert len(faces) == len(names) >= 4


def test_the_handler_answers_an_event_as_the_deployed_one_does(recogniser):
    (handler,) = of_notebook("05_deploy_lambda", "handler")
    handler.__globals__.update(recogniser=recogniser, json=json)
    content = next(iter(sorted((ROOT / "data/group").glob("*.jpg")))).read_bytes()
    event = {
        "requestContext": {"http": {"method": "POST"}},
        "rawPath": "/v1/recognize",
        "headers": {"content-type": "image/jpeg"},
        "body": base64.b64encode(content).decode(),
        "isBase64Encoded": True,
    }
    deployed = Application(Settings())
    deployed.store._recogniser = recogniser
    ours, theirs = handler(event), deployed.handle(event)
    told = [{key: face[key] for key in ("name", "box")} for face in json.loads(theirs["body"])["faces"]]
    assert ours["statusCode"] == theirs["statusCode"] == 200
    assert json.loads(ours["body"])["faces"] == told and {face["name"] for face in told} >= {"Ada", "Bo"}
