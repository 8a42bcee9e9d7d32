"""Recognition: faces per second beside facenet-pytorch's network as it comes, the 8-bit option, training."""

import statistics
import time
from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from facecourse.core.paths import PEOPLE_DIR
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.embeddings import load_crops
from facecourse.embedding.photo_sets import centroids
from facecourse.heads.cosine import CosineHead
from facecourse.heads.training import Trainer, seed_everything
from facecourse.photos.truth import true_faces
from lambda_function.crops import Preprocessing, normalise

FACES, ROUNDS = 64, 5
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


def sample_crops(preprocessing: Preprocessing) -> np.ndarray:
    """Return crops of rendered people, cut where the truth says the faces are; data/people is the reader's own."""
    truth = true_faces()
    truth = truth[[not path.is_relative_to(PEOPLE_DIR) for path in truth["path"]]].head(FACES)
    return load_crops(truth.assign(landmarks=[p.ravel() for p in truth["landmarks"]]), preprocessing)


def head_seconds() -> float:
    """Return the seconds that training a softmax head takes at LFW's size, on made-up embeddings."""
    chance = np.random.default_rng(0)
    labels = np.concatenate([np.arange(PEOPLE), chance.integers(0, PEOPLE, PHOTOS - PEOPLE)])
    people = chance.standard_normal((PEOPLE, 128)).astype(np.float32)
    rows = people[labels] + 0.5 * chance.standard_normal((PHOTOS, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    head = CosineHead(centroids(rows, labels, PEOPLE), "softmax")
    trainer = Trainer(head, (rows, labels), (rows[:0], labels[:0]), 0.003, EPOCHS)
    start = time.perf_counter()
    for _ in range(trainer.epochs):
        trainer.train_epoch()
    return time.perf_counter() - start


def rows() -> list[dict]:
    """Return the rows of `make bench`."""
    seed_everything()
    backbone = find_backbone("msceleb1m")
    small = replace(backbone, precision="int8")
    network, crops = backbone.network(), sample_crops(backbone.preprocessing)
    tools = [backbone.embedder(), small.embedder()]
    pixels = torch.from_numpy(normalise(crops, backbone.preprocessing.normalise))
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
    # The reference passes every photo through the network in every epoch: extrapolated from its faces per second.
    seconds, original = head_seconds(), EPOCHS * PHOTOS / reference
    name = f"training, {EPOCHS} epochs of {PHOTOS} photos (reference extrapolated)"
    return [*found, _row(name, seconds, original, original / seconds, "s")]


def _row(name: str, ours: float, reference: float, ratio: float, unit: str) -> dict:
    values = {"ours": ours, "reference": reference, "ratio": ratio, "unit": unit}
    return {"name": f"recognition: {name}", **values}
