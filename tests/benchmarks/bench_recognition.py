"""Recognition: faces per second beside facenet-pytorch's network as it comes, the 8-bit option, training."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from facecourse.core import paths, sources
from facecourse.deployment import variants
from facecourse.detection import detector
from facecourse.embedding import embeddings, photo_sets, quantisation
from facecourse.heads import training
from facecourse.lessons import truth
from facecourse.metrics import verification
from lambda_function.crops import normalise
from lambda_function.faces import select_face
from lambda_function.photos import open_photo
from lambda_function.pipeline import Embedder
from tests.conftest import mirror

BACKBONE = "msceleb1m"
FACES, ROUNDS = 64, 5
FOLDS = 2  # of LFW's ten: 1,200 pairs
PEOPLE, PHOTOS, EPOCHS = 5749, 12000, 20  # training of a head, at LFW's size


def in_turn(*tasks) -> list[float]:
    """Return the median seconds of each task, run in turn so that a busy moment hits all alike."""
    seconds = [[] for _ in tasks]
    for task in tasks:
        task()
    for _ in range(ROUNDS):
        for task, own in zip(tasks, seconds, strict=True):
            start = time.perf_counter()
            task()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in seconds]


def sample_crops() -> np.ndarray:
    """Return crops of the sample's people, cut where the rendered truth says the faces are."""
    truth = truth.true_faces()
    truth = truth[~truth["group"]].head(2 * FACES)
    truth = truth.assign(landmarks=[points.ravel() for points in truth["landmarks"]])
    return embeddings.load_crops(truth, embeddings.find_weights(BACKBONE).preprocessing)


def small_backbone(folder: Path, crops: np.ndarray) -> tuple[Path, Path]:
    """Return a copy of the exported backbone and the 8-bit file made of it."""
    whole = Path(shutil.copy(embeddings.onnx_backbone(BACKBONE), folder / "backbone.onnx"))
    return whole, quantisation.quantise(
        whole, crops, embeddings.find_weights(BACKBONE).preprocessing, folder / "int8.onnx"
    )


def lfw_folds() -> tuple[pd.DataFrame, verification.Pairs] | None:
    """Return the photos of LFW's first folds with their faces, and the pairs; None where LFW is not here."""
    if mirror() is None:
        return None
    pairs = [pair for pair in verification.read_pairs(sources.lfw_pairs()) if pair[0] < FOLDS]
    names = sorted({photo for pair in pairs for photo in pair[1:3]})
    paths = [sources.lfw_photos() / name.rsplit("_", 1)[0] / f"{name}.jpg" for name in names]
    images = detector.find_faces(open_photo(path) for path in paths)
    chosen = [faces[select_face(faces, 250, 250)] if faces else None for faces in images]
    table = pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "faces": [len(faces) for faces in images],
            "box": [face.box if face else None for face in chosen],
            "landmarks": [face.landmarks.ravel() if face else None for face in chosen],
        }
    )
    place = {name: i for i, name in enumerate(names)}
    fold, left, right, same = zip(*pairs, strict=True)
    numbers = [np.array([place[name] for name in side]) for side in (left, right)]
    return table, verification.Pairs(*numbers, np.array(same), np.array(fold))


def head_seconds() -> float:
    """Return the seconds that training a softmax head takes at LFW's size, on made-up embeddings."""
    chance = np.random.default_rng(0)
    labels = np.concatenate([np.arange(PEOPLE), chance.integers(0, PEOPLE, PHOTOS - PEOPLE)])
    people = chance.standard_normal((PEOPLE, 128)).astype(np.float32)
    rows = people[labels] + 0.5 * chance.standard_normal((PHOTOS, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    head = training.CosineHead(photo_sets.centroids(rows, labels, PEOPLE), "softmax")
    nobody = (rows[:0], labels[:0])
    trainer = training.Trainer(head, (rows, labels), nobody, 0.003, EPOCHS)
    start = time.perf_counter()
    for _ in range(trainer.epochs):
        trainer.train_epoch()
    return time.perf_counter() - start


def rows() -> list[dict]:
    """Return the rows of `make bench`."""
    training.seed_everything()
    network, preprocessing, _ = embeddings.load_backbone(BACKBONE)
    crops = sample_crops()
    held_back, crops = crops[FACES:], crops[:FACES]
    with tempfile.TemporaryDirectory() as name:
        whole, small = small_backbone(Path(name), held_back)
        tools = [Embedder(path, preprocessing, paths.THREADS) for path in (whole, small)]
        pixels = torch.from_numpy(normalise(crops, preprocessing.normalise))
        with torch.inference_mode():
            eager = functional.normalize(network(pixels)).numpy()
            times = in_turn(*(lambda t=tool: t.embed(crops) for tool in tools), lambda: network(pixels))
        ours, ints, reference = (len(crops) / seconds for seconds in times)
        cosine = float(np.einsum("nd,nd->n", tools[0].embed(crops), eager).min())
        found = [
            _row("embedding, 32-bit", ours, reference, ours / reference, "faces/s"),
            _row("embedding, 8-bit", ints, reference, ints / reference, "faces/s"),
            _row("lowest cosine to facenet-pytorch, 32-bit", cosine, 1.0, cosine, "cosine"),
        ]
        if lfw := lfw_folds():
            fp32, int8 = variants.lfw_loss(whole, small, *lfw, preprocessing, paths.THREADS)
            found.append(_row(f"LFW accuracy, 8-bit ({FOLDS} folds)", int8, fp32, int8 / fp32, "share"))
        seconds = head_seconds()
    # The reference passes every photo through the network in every epoch: extrapolated from its faces per second.
    original = EPOCHS * PHOTOS / reference
    name = f"training, {EPOCHS} epochs of {PHOTOS} photos (reference extrapolated)"
    return [*found, _row(name, seconds, original, original / seconds, "s")]


def _row(name: str, ours: float, reference: float, ratio: float, unit: str) -> dict:
    return {
        "name": f"recognition: {name}",
        "ours": ours,
        "reference": reference,
        "ratio": ratio,
        "unit": unit,
    }
