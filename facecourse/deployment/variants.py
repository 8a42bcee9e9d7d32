"""One backbone with 32-bit, 16-bit and 8-bit numbers: what each weighs, how fast it is, what it costs in accuracy."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from facecourse.core.cache import ContentCache
from facecourse.core.paths import THREADS
from facecourse.core.sources import lfw_pairs
from facecourse.embedding import embeddings
from facecourse.embedding.backbones import EIGHT_BITS, default_backbone, find_weights
from facecourse.embedding.embeddings import face_of, load_crops
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.embedding.quantisation import halve_weights
from facecourse.heads.saved_head import load_head
from facecourse.metrics.identification import identify
from facecourse.metrics.open_set import load_decision, open_set
from facecourse.metrics.verification import Pairs, official_pairs, similarities, ten_folds
from facecourse.photos.dataset import load_manifest, photo_path
from lambda_function.crops import Preprocessing, views_of
from lambda_function.gallery import Gallery
from lambda_function.photos import open_photo
from lambda_function.pipeline import Embedder, sha256_of

ALLOWED_LOSS = 0.1  # points (hundredths) on every figure
KNOWN, FOLDS = 600, 2  # known people's photos, and folds of LFW's ten: all of them take longer than the rest
CHUNK = 64
ASKED = ("test", "unknown_test")
FIGURES = ("test top-1", "strangers named", "known refused", "LFW")
LOWER_IS_BETTER = ("strangers named", "known refused")


def make_variants(profile: str) -> dict[str, Path]:
    """Write the backbone of a profile in the precisions that it could be deployed in.

    Returns
    -------
    dict of str to Path
        ONNX files; first the one that the profile's head was trained with. fp32: as exported; fp16: weights
        stored with 16 bits and computed with 32, only beside an fp32 head, whose embeddings it gives; int8:
        weights and activations with 8 bits, see `quantisation.quantise`.
    """
    backbone = _backbone(profile, load_head(profile)[2])
    whole = backbone.removesuffix(EIGHT_BITS)
    exported, small = embeddings.onnx_backbone(whole), embeddings.onnx_backbone(whole + EIGHT_BITS)
    if backbone.endswith(EIGHT_BITS):
        return {"int8": small, "fp32": exported}
    fp16 = exported.with_name(f"{exported.stem}-fp16.onnx")
    if not fp16.exists():
        halve_weights(exported)
    return {"fp32": exported, "fp16": fp16, "int8": small}


def _backbone(profile: str, about: dict) -> str:
    return about.get("backbone") or default_backbone(profile)


def compare_variants(profile: str, variants: dict[str, Path], runs: int = 15) -> pd.DataFrame:
    """Measure every variant with the profile's own gallery and threshold, which stay as they are.

    Parameters
    ----------
    profile : str
    variants : dict of str to Path
        From `make_variants`: losses are counted against the first.
    runs : int
        Repetitions of the timing; the variants take turns.

    Returns
    -------
    DataFrame
        By variant: MB; ms per face (median, one thread, with as many views as the course uses); test
        top-1 (of at most KNOWN photos), strangers named and known people refused at the threshold, on LFW also
        the accuracy on two of its ten folds, from one view, all in per cent; points lost, the largest loss on any
        of them; and answers changed, the number of photos whose name, or "unknown", is not that of the first.
    """
    names, vectors, about = load_head(profile)
    backbone, views = _backbone(profile, about), about["views"]
    manifest, decision = load_manifest(profile), load_decision(profile)
    gallery = Gallery(names, vectors, decision["threshold"], crowd=decision["crowd"])
    found = manifest["faces"].to_numpy() > 0
    known, strangers = (np.flatnonzero(found & (manifest["course_split"] == side)) for side in ASKED)
    known = np.random.default_rng(0).permutation(known)[:KNOWN]
    asked = np.sort(np.concatenate([known, strangers]))
    pairs = _some_folds(manifest, found) if profile == "lfw" else None
    own, figures, answers = next(iter(variants)), {}, {}
    for name, path in variants.items():
        rows = _embedded(backbone, name, path, manifest, asked, views)
        figures[name] = _figures(manifest, rows, gallery)
        if pairs is not None:
            single = _embedded(backbone, name, path, manifest, np.union1d(pairs.left, pairs.right), 1)
            figures[name]["LFW"] = 100 * ten_folds(similarities(single, pairs), pairs).mean
        answers[name] = [match.name for match in gallery.identify(rows[asked], top=1)]
    table = pd.DataFrame(figures).T
    signs = pd.Series({name: -1 if name in LOWER_IS_BETTER else 1 for name in table.columns})
    table["points lost"] = ((table.loc[own] - table) * signs).max(axis=1).clip(lower=0) + 0.0
    table["answers changed"] = pd.Series(
        {n: sum(x != y for x, y in zip(a, answers[own], strict=True)) for n, a in answers.items()}
    )
    preprocessing = find_weights(backbone).preprocessing
    table.insert(0, "ms per face", pd.Series(_milliseconds(variants, preprocessing, views, runs)))
    table.insert(0, "MB", pd.Series({name: path.stat().st_size / 1e6 for name, path in variants.items()}))
    return table.rename_axis("variant")


def _some_folds(manifest: pd.DataFrame, found: np.ndarray) -> Pairs | None:
    pairs = official_pairs(manifest, lfw_pairs())
    if pairs is None:
        return None
    kept = (pairs.folds < FOLDS) & found[pairs.left] & found[pairs.right]
    return Pairs(pairs.left[kept], pairs.right[kept], pairs.same[kept], pairs.folds[kept])


def _embedded(backbone, name, path, manifest, rows, views) -> np.ndarray:
    """Embed some rows of a manifest: (len(manifest), d), nan elsewhere; earlier notebooks have kept some."""
    whole, photos = backbone.removesuffix(EIGHT_BITS), manifest.iloc[rows]
    if name == "fp16":
        part = embed_with(path, photos, find_weights(whole).preprocessing, views, name)
    else:
        part = embeddings.embed_manifest(photos, whole + (EIGHT_BITS if name == "int8" else ""), views)
    embeddings = np.full((len(manifest), part.shape[1]), np.nan, np.float32)
    embeddings[rows] = part
    return embeddings


def _figures(manifest: pd.DataFrame, embeddings: np.ndarray, gallery: Gallery) -> dict[str, float]:
    number = {name: place for place, name in enumerate(gallery.labels)}
    labels = np.array([number.get(person, -1) for person in manifest["person"]], np.int64)
    usable, sides = np.isfinite(embeddings).all(1), manifest["course_split"].to_numpy()
    known, strangers = (
        PhotoSet(embeddings[rows], labels[rows], rows, gallery.labels)
        for rows in (np.flatnonzero(usable & (sides == side)) for side in ASKED)
    )
    scores = open_set(gallery.vectors, known, strangers, gallery.crowd)
    far, frr = (float(rate[0]) for rate in scores.rates(np.array([gallery.threshold])))
    return dict(
        zip(FIGURES, (100 * identify(gallery.vectors, known).top1, 100 * far, 100 * frr), strict=False)
    )


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
    path: Path, photos: pd.DataFrame, preprocessing: Preprocessing, views: int, title: str = ""
) -> np.ndarray:
    """Embed the faces of a manifest's rows with one ONNX file; kept in data/cache/ under that file's hash.

    Parameters
    ----------
    path : Path
    photos : DataFrame
        path, sha256, box, landmarks.
    preprocessing : Preprocessing
    views : int
        See `lambda_function.crops.views_of`.
    title : str
        Shown beside the progress bar.

    Returns
    -------
    ndarray of shape (len(photos), d), float32, unit rows
    """
    tool = Embedder(path, preprocessing, THREADS)
    cache = ContentCache(f"variant-{sha256_of(path)[:16]}-{views}")
    known = cache.get_many(photos["sha256"])
    todo = [i for i, key in enumerate(photos["sha256"]) if key not in known]
    with tqdm(total=len(todo), unit="face", desc=f"Embedding, {title}", disable=not todo) as bar:
        for start in range(0, len(todo), CHUNK):
            part = photos.iloc[todo[start : start + CHUNK]]
            crops = [
                views_of(open_photo(photo_path(photo)), face_of(box, points), preprocessing, views)
                for photo, box, points in zip(part["path"], part["box"], part["landmarks"], strict=True)
            ]
            rows = tool.embed(np.stack(crops))
            found = {key: row.tobytes() for key, row in zip(part["sha256"], rows, strict=True)}
            cache.put_many(found)
            known |= found
            bar.update(len(part))
    rows = b"".join(known[key] for key in photos["sha256"])
    return np.frombuffer(rows, np.float32).reshape(len(photos), tool.dimension)


def _milliseconds(
    variants: dict[str, Path], preprocessing: Preprocessing, views: int, runs: int
) -> dict[str, float]:
    """Time one face on one thread, the variants in turn: what else the machine does then hits all alike."""
    tools = {name: Embedder(path, preprocessing, threads=1) for name, path in variants.items()}
    shape = (1, views, preprocessing.size, preprocessing.size, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times: dict[str, list[float]] = {name: [] for name in variants}
    for run in range(runs + 2):
        for name, tool in tools.items():
            start = time.perf_counter()
            tool.embed(crops)
            if run >= 2:  # the first ones warm up
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(values)) for name, values in times.items()}


def lfw_loss(
    first: Path,
    second: Path,
    manifest: pd.DataFrame,
    pairs: Pairs,
    preprocessing: Preprocessing,
    threads: int = 1,
) -> tuple[float, float]:
    """Return the ten-fold accuracy of two files of one backbone on pairs of photos, 0 to 1 each.

    Parameters
    ----------
    first, second : Path
    manifest : DataFrame
    pairs : Pairs
        LFW's, or whole folds of them; pairs with a photo without a face count as wrong for both.
    preprocessing : Preprocessing
    threads : int
    """
    rows = np.unique(np.concatenate([pairs.left, pairs.right]))
    rows = rows[(manifest["faces"].to_numpy()[rows] > 0)]
    accuracies = []
    for path in (first, second):
        tool = Embedder(path, preprocessing, threads)
        embeddings = np.full((len(manifest), tool.dimension), np.nan, np.float32)
        for start in range(0, len(rows), 128):  # all crops at once would be a gigabyte
            part = rows[start : start + 128]
            embeddings[part] = tool.embed(load_crops(manifest.iloc[part], preprocessing))
        accuracies.append(ten_folds(similarities(embeddings, pairs), pairs).mean)
    return accuracies[0], accuracies[1]
