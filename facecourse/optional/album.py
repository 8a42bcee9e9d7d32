"""What notebook 09 needs: an album's faces, how good its clusters are, a camera."""

import base64
from collections.abc import Callable
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import traitlets

from facecourse.core.figures import COLOURS, figure
from facecourse.core.paths import in_colab
from facecourse.detection.detector import detect_photos
from facecourse.embedding.backbones import Backbone
from facecourse.embedding.embeddings import embed_faces
from facecourse.metrics.uncertainty import drawn_anew
from lambda_function.pipeline import sha256_of

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
SMALLEST = 24  # pixels of a box's shorter side; below, an album leaves a face alone
SURE = 0.95  # the detector's probability from which something in an album counts as a face


def album_files(folder: Path) -> list[Path]:
    """Return all photos in a folder and below it, by name; FileNotFoundError if there is none."""
    found = sorted(p for p in Path(folder).expanduser().rglob("*") if p.suffix.lower() in ENDINGS)
    if not found:
        raise FileNotFoundError(f"no photo in {folder}; what is read ends in {', '.join(sorted(ENDINGS))}")
    return found


def album_faces(files: list[Path], backbone: Backbone) -> tuple[pd.DataFrame, np.ndarray]:
    """Find and embed every face of some photos: a row per face (path, face) and the embeddings, (n, d) float32.

    Boxes and embeddings of photos that were seen before come from data/cache/. A photo that cannot be read is left out.
    """
    sums = [sha256_of(path) for path in files]
    found = detect_photos(files, sums, skip=True)
    rows = [
        (path, digest, face)
        for path, digest in zip(files, sums, strict=True)
        for face in found.get(digest, [])
        if face.score >= SURE and min(face.box[2:] - face.box[:2]) >= SMALLEST
    ]
    table = pd.DataFrame(rows, columns=["path", "sha256", "face"])
    embeddings = embed_faces(table.path.tolist(), table.sha256.tolist(), table.face.tolist(), backbone)
    kept = np.isfinite(embeddings).all(1)
    return table[kept].reset_index(drop=True), embeddings[kept]


def chinese_whispers(similarity: np.ndarray, least: float, rounds: int = 20, seed: int = 0) -> np.ndarray:
    """Cluster by a graph of all pairs with a `similarity`, (n, n), of `least` or more: labels, (n,).

    Each face takes the label that most of its neighbours have, weighted by similarity, in an order of chance, until
    nothing changes (Biemann, 2006); dlib and many albums use it.
    """
    weights = np.where(similarity >= least, similarity, 0.0)
    np.fill_diagonal(weights, 0.0)
    labels, chance = np.arange(len(weights)), np.random.default_rng(seed)
    for _ in range(rounds):
        before = labels.copy()
        for i in chance.permutation(len(labels)):
            near = np.flatnonzero(weights[i])
            if len(near):
                labels[i] = np.bincount(labels[near], weights=weights[i, near]).argmax()
        if (labels == before).all():
            break
    return np.unique(labels, return_inverse=True)[1]


def cluster_scores(
    labels: np.ndarray, persons: np.ndarray, draws: int = 500, seed: int = 0
) -> dict[str, tuple]:
    """Return pairwise and BCubed precision, recall and F, each (value, low, high) with a 95 % interval over people.

    Pairwise counts pairs of faces in one cluster, so a large cluster counts with its square; BCubed (Bagga and Baldwin,
    1998) takes the mean over faces. People are drawn anew with their faces as they are clustered.
    """
    value, drawn = _rates(labels, persons, draws, seed)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    keys = ["precision", "recall", "F", "BCubed precision", "BCubed recall", "BCubed F"]
    return {key: (float(value[i]), float(low[i]), float(high[i])) for i, key in enumerate(keys)}


def compare_clusterings(
    first: np.ndarray, second: np.ndarray, persons: np.ndarray, draws: int = 500, seed: int = 0
) -> tuple[float, float, float]:
    """Return by how much the first labels' BCubed F is higher, with a 95 % interval: the same people are drawn for both."""
    (value, drawn), (other, other_drawn) = (
        _rates(labels, persons, draws, seed) for labels in (first, second)
    )
    low, high = np.quantile(drawn[-1] - other_drawn[-1], [0.025, 0.975])
    return float(value[-1] - other[-1]), float(low), float(high)


def _rates(labels: np.ndarray, persons: np.ndarray, draws: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the six rates of `cluster_scores`, (6,), and those of each bootstrap sample of people, (6, draws)."""
    names, person = np.unique(persons, return_inverse=True)
    clusters, cluster = np.unique(labels, return_inverse=True)
    table = np.zeros((len(names), len(clusters)))
    np.add.at(table, (person, cluster), 1)
    both, in_cluster, of_person = table[person, cluster], table.sum(0)[cluster], table.sum(1)[person]
    # By face: right pairs, pairs made, true pairs; BCubed precision and recall; one.
    columns = [
        both - 1,
        in_cluster - 1,
        of_person - 1,
        both / in_cluster,
        both / of_person,
        np.ones(len(both)),
    ]
    sums = np.zeros((len(names), 6))
    np.add.at(sums, person, np.column_stack(columns))
    rates = []
    for total in (sums.sum(0, keepdims=True), drawn_anew(len(names), draws, seed) @ sums):
        right, made, true, precise, found, count = total.T
        precision = np.where(made > 0, right / np.maximum(made, 1e-9), 1.0)
        recall = right / np.maximum(true, 1e-9)
        b_precision, b_recall = precise / count, found / count
        each = [precision, recall, _f(precision, recall), b_precision, b_recall, _f(b_precision, b_recall)]
        rates.append(np.stack(each))
    return rates[0][:, 0], rates[1]


def _f(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    return 2 * precision * recall / np.maximum(precision + recall, 1e-9)


def corrections(labels: np.ndarray, persons: np.ndarray) -> tuple[int, int]:
    """Return how many splits and then merges by hand make every cluster one person and every person one cluster."""
    table = pd.crosstab(np.asarray(persons), np.asarray(labels)).to_numpy() > 0
    return int((table.sum(0) - 1).sum()), int((table.sum(1) - 1).sum())


def plot_cluster_curves(curves: dict[str, tuple[pd.DataFrame, float]]):
    """Draw BCubed precision and recall against the distance, for each group of people, its chosen distance dotted."""
    picture, axes = figure(1, len(curves), width=10.5 / len(curves), height=3.2, squeeze=False, sharey=True)
    for panel, (name, (table, chosen)) in zip(axes[0], curves.items(), strict=True):
        for rate, colour, line in (("precision", "blue", "-"), ("recall", "orange", "--")):
            panel.plot(table.distance, table[rate], label=rate, color=COLOURS[colour], linestyle=line)
            panel.fill_between(
                table.distance, table[f"{rate} low"], table[f"{rate} high"], alpha=0.2, color=COLOURS[colour]
            )
        panel.axvline(chosen, color=COLOURS["black"], linestyle=":", linewidth=1.5, label="chosen")
        panel.set(xlabel="clusters joined up to this distance", ylim=(0, 1.02))
        panel.set_title(name, fontsize=10)
    axes[0, 0].set_ylabel("BCubed (band: 95 %)")
    picture.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return picture


def plot_frames(yaw: np.ndarray, similarity: dict[str, tuple[np.ndarray, float]], threshold: float):
    """Draw each frame's similarity to people against the true yaw, and that of the whole track as a horizontal line.

    `similarity` holds of each person the frames', (n,), and the track's.
    """
    picture, axes = figure(width=7.6)
    for (name, (single, whole)), colour in zip(similarity.items(), COLOURS.values(), strict=False):
        axes.plot(yaw, single, label=name, color=colour, linestyle="-")
        axes.axhline(whole, label=f"{name}, whole track", color=colour, linestyle="--")
    axes.axhline(threshold, color=COLOURS["black"], linestyle=":", linewidth=1.5, label="threshold")
    axes.set(xlabel="yaw (degrees)", ylabel="cosine similarity")
    axes.set_title(f"{len(yaw)} frames of one head")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return picture


# ---- camera --------------------------------------------------------------------------------------------------

SHOOT = """
async function shoot(place) {
  const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, facingMode: "user"}});
  const video = document.createElement("video");
  video.srcObject = stream; video.playsInline = true; video.muted = true;
  const button = document.createElement("button");
  button.textContent = "Take the photo";
  place.replaceChildren(video, button);
  await video.play();
  await new Promise(done => button.onclick = done);
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  stream.getTracks().forEach(track => track.stop());
  place.replaceChildren(canvas);
  return canvas.toDataURL("image/jpeg", 0.9);
}
"""


WIDGET = """
export default { render({model, el}) {
  el.classList.add("fc-camera");
  const button = document.createElement("button");
  button.textContent = "Open the camera";
  button.onclick = () => shoot(el).then(
    url => { model.set("photo", url); model.save_changes(); },
    error => { el.textContent = "No camera: " + error.message; });
  el.replaceChildren(button);
} };"""


def camera(on_photo: Callable[[bytes], None]) -> ipywidgets.Widget | None:
    """Show what the reader's camera sees, with a button; `on_photo` is called with the bytes of a JPEG.

    In Colab by its own `eval_js`, which waits for the button; elsewhere by a widget, with what `on_photo` prints below.
    """
    if in_colab():
        from google.colab import output

        call = SHOOT + "shoot(document.body.appendChild(document.createElement('div')))"
        return on_photo(_bytes_of(output.eval_js(call)))
    import anywidget  # Colab has none

    class Camera(anywidget.AnyWidget):
        _esm = SHOOT + WIDGET
        photo = traitlets.Unicode("").tag(sync=True)

    widget, printed = Camera(), ipywidgets.Output()

    def received(change: dict) -> None:
        if change["new"]:
            widget.photo = ""  # or it would be saved with the notebook
            with printed:  # what a widget's callback prints has no cell to appear under
                on_photo(_bytes_of(change["new"]))

    widget.observe(received, "photo")
    return ipywidgets.VBox([widget, printed])


def _bytes_of(url: str) -> bytes:
    return base64.b64decode(url.split(",", 1)[1])
