"""One backbone with 32-bit, 16-bit and 8-bit numbers: what each weighs, how fast it is, what it costs in accuracy."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse import recognition
from facecourse.backbones import default_backbone, find_weights
from facecourse.cache import ContentCache
from facecourse.dataset import load_manifest
from facecourse.evaluation import identify, load_decision, open_set
from facecourse.photo_sets import photo_sets
from facecourse.quantisation import halve_weights, quantise
from facecourse.recognition import load_crops
from facecourse.saved_head import load_head
from facecourse.settings import THREADS
from facecourse.sources import lfw_pairs
from facecourse.verification import official_pairs, similarities, ten_folds
from lambda_function.crops import Preprocessing
from lambda_function.pipeline import Embedder, sha256_of

ALLOWED_LOSS = 0.1  # points (hundredths) on every figure
CALIBRATION = 128  # photos of the training side
CHUNK = 64
FIGURES = ("test top-1", "strangers named", "known refused", "LFW")
LOWER_IS_BETTER = ("strangers named", "known refused")


def make_variants(profile: str) -> dict[str, Path]:
    """Write the backbone of a profile in three precisions.

    Returns
    -------
    dict of str to Path
        ONNX files: fp32 as exported; fp16, weights stored with 16 bits and computed with 32; int8, weights and
        activations with 8 bits, their ranges measured on photos of the training side.
    """
    _, _, about = load_head(profile)
    backbone = about.get("backbone") or default_backbone(profile)
    exported = recognition.onnx_backbone(backbone)
    manifest = load_manifest(profile)
    training = manifest[(manifest["course_split"] == "train") & (manifest["faces"] > 0)]
    some = training.sample(min(CALIBRATION, len(training)), random_state=0)
    preprocessing = find_weights(backbone).preprocessing
    # The ranges depend on the photos: other ones give another file.
    measured_on = hashlib.sha256("".join(some["sha256"]).encode()).hexdigest()[:12]
    fp16 = exported.with_name(f"{exported.stem}-fp16.onnx")
    int8 = exported.with_name(f"{exported.stem}-int8-{measured_on}.onnx")
    if not fp16.exists():
        halve_weights(exported)
    if not int8.exists():
        quantise(exported, load_crops(some, preprocessing), preprocessing).replace(int8)
    return {"fp32": exported, "fp16": fp16, "int8": int8}


def compare_variants(profile: str, variants: dict[str, Path], runs: int = 15) -> pd.DataFrame:
    """Measure every variant with the profile's own gallery and threshold, which stay as they are.

    Parameters
    ----------
    profile : str
    variants : dict of str to Path
        "fp32" must be among them: losses are counted against it.
    runs : int
        Repetitions of the timing; the variants take turns.

    Returns
    -------
    DataFrame
        By variant: MB; ms per face (median, one thread, mirrored pass included if the course uses it); test
        top-1, strangers named and known people refused at the threshold, on LFW also ten-fold accuracy, all in
        per cent; points lost, the largest loss on any of them; and answers changed, the number of photos whose
        name, or "unknown", is not that of fp32.
    """
    _, vectors, about = load_head(profile)
    backbone = about.get("backbone") or default_backbone(profile)
    preprocessing = find_weights(backbone).preprocessing
    flip, manifest = bool(about.get("flip")), load_manifest(profile)
    pairs = official_pairs(manifest, lfw_pairs()) if profile == "lfw" else None
    found = manifest["faces"].to_numpy() > 0
    asked = np.flatnonzero(manifest["course_split"].isin(["test", "unknown_test"]).to_numpy() & found)
    rows = asked
    if pairs is not None:
        rows = np.union1d(asked, np.concatenate([pairs.left, pairs.right]))
        rows = rows[found[rows]]
    figures, answers, threshold = {}, {}, load_decision(profile)["threshold"]
    for name, path in variants.items():
        embeddings = np.full((len(manifest), vectors.shape[1]), np.nan, np.float32)
        photos = manifest.iloc[rows]
        embeddings[rows] = (
            recognition.embed_manifest(photos, backbone, flip=flip)  # notebook 03 has kept them
            if name == "fp32"
            else embed_with(path, photos, preprocessing, flip, name)
        )
        # Training photos only say who is known: unless LFW's pairs need them, they were not embedded.
        embeddings[found & np.isnan(embeddings).any(axis=1)] = 0
        figures[name] = _figures(manifest, embeddings, vectors, threshold, pairs)
        answers[name] = _answers(embeddings[asked], vectors, threshold)
    table = pd.DataFrame(figures).T.dropna(axis=1)
    signs = pd.Series({name: -1 if name in LOWER_IS_BETTER else 1 for name in table.columns})
    table["points lost"] = ((table.loc["fp32"] - table) * signs).max(axis=1).clip(lower=0) + 0.0
    table["answers changed"] = pd.Series({n: int((a != answers["fp32"]).sum()) for n, a in answers.items()})
    table.insert(0, "ms per face", pd.Series(_milliseconds(variants, preprocessing, flip, runs)))
    table.insert(0, "MB", pd.Series({name: path.stat().st_size / 1e6 for name, path in variants.items()}))
    return table.rename_axis("variant")


def _figures(manifest, embeddings, vectors, threshold, pairs) -> dict[str, float | None]:
    sets = photo_sets(manifest, embeddings, "course_split")
    scores = open_set(vectors, sets["test"], sets["unknown_test"])
    far, frr = (float(rate[0]) for rate in scores.rates(np.array([threshold])))
    lfw = None if pairs is None else ten_folds(similarities(embeddings, pairs), pairs).mean
    values = (identify(vectors, sets["test"]).top1, far, frr, lfw)
    return {k: None if v is None else 100 * v for k, v in zip(FIGURES, values, strict=True)}


def _answers(embeddings: np.ndarray, vectors: np.ndarray, threshold: float) -> np.ndarray:
    """Return the number of the person who is named, or -1 for unknown."""
    scores = embeddings @ vectors.T
    return np.where(scores.max(1) >= threshold, scores.argmax(1), -1)


def choose_variant(table: pd.DataFrame) -> str:
    """Return the fastest variant that loses at most ALLOWED_LOSS points; of those within 10 %, the smallest.

    Parameters
    ----------
    table : DataFrame
        One row per variant: size, time and accuracy.
    """
    fit = table[table["points lost"] <= ALLOWED_LOSS + 1e-9]
    fast = fit[fit["ms per face"] <= 1.1 * fit["ms per face"].min()]
    return str(fast["MB"].idxmin())


def embed_with(
    path: Path, photos: pd.DataFrame, preprocessing: Preprocessing, flip: bool, title: str = ""
) -> np.ndarray:
    """Embed the faces of a manifest's rows with one ONNX file; kept in data/cache/ under that file's hash.

    Returns
    -------
    ndarray of shape (len(photos), d), float32, unit rows
    """
    tool = Embedder(path, preprocessing, THREADS)
    cache = ContentCache(f"variant-{sha256_of(path)[:16]}-{'mirrored' if flip else 'plain'}")
    known = cache.get_many(photos["sha256"])
    todo = [i for i, key in enumerate(photos["sha256"]) if key not in known]
    with tqdm(total=len(todo), unit="face", desc=f"Embedding, {title}", disable=not todo) as bar:
        for start in range(0, len(todo), CHUNK):
            part = photos.iloc[todo[start : start + CHUNK]]
            rows = tool.embed(load_crops(part, preprocessing), flip)
            found = {key: row.tobytes() for key, row in zip(part["sha256"], rows, strict=True)}
            cache.put_many(found)
            known |= found
            bar.update(len(part))
    rows = b"".join(known[key] for key in photos["sha256"])
    return np.frombuffer(rows, np.float32).reshape(len(photos), tool.dimension)


def _milliseconds(
    variants: dict[str, Path], preprocessing: Preprocessing, flip: bool, runs: int
) -> dict[str, float]:
    """Time one face on one thread, the variants in turn: what else the machine does then hits all alike."""
    tools = {name: Embedder(path, preprocessing, threads=1) for name, path in variants.items()}
    crop = np.random.default_rng(0).integers(0, 256, (1, preprocessing.size, preprocessing.size, 3), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for run in range(runs + 2):
        for name, tool in tools.items():
            start = time.perf_counter()
            tool.embed(crop, flip)
            if run >= 2:  # the first ones warm up
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}
