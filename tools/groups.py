"""Errors by group on the rendered people, whose sex, age, skin, pose, expression and glasses are known."""

import json

import numpy as np
import pandas as pd

from facecourse.core.files import write_atomically
from facecourse.core.paths import DATA, outputs_for
from facecourse.embedding.embeddings import embed_manifest
from facecourse.heads.saved_head import load_head
from facecourse.metrics.identification import wilson
from facecourse.metrics.open_set import load_decision
from facecourse.photos.dataset import load_manifest

PROTOCOL = (
    "Each photo of the 12 rendered people is a probe once; its own person is then the mean of the other 13 photos, "
    "every other person the mean of all of theirs. Refused: below the threshold of the sample's model."
)


def leave_one_out(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Name every photo by the nearest centroid, without that photo's help.

    Parameters
    ----------
    embeddings : ndarray of shape (n, d), float32, unit rows
    labels : ndarray of shape (n,), int64
        Person 0 ... k-1 of each row, at least two rows each.

    Returns
    -------
    (ndarray of int64, ndarray of float32)
        The person named, and the cosine similarity to them.
    """
    people = labels.max() + 1
    sums = np.stack([embeddings[labels == person].sum(0) for person in range(people)])
    scores = embeddings @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T
    own = sums[labels] - embeddings
    rows = np.arange(len(labels))
    scores[rows, labels] = (embeddings * own).sum(1) / np.linalg.norm(own, axis=1)
    return scores.argmax(1), scores.max(1)


def photos_with_groups() -> pd.DataFrame:
    """Return the rendered people's rows of the sample's manifest, with their groups as columns."""
    manifest = load_manifest("sample")
    photos = manifest[manifest.source == "people"].reset_index(drop=True)
    rendered = pd.read_csv(DATA / "people_rendered.csv").set_index("person")
    truth = pd.read_json(DATA / "photos.json", orient="index")
    about = truth.loc[[path.removeprefix("data/") for path in photos.path]].reset_index(drop=True)
    yaw = about.yaw.abs()
    return photos.assign(
        sex=rendered.sex.loc[photos.person].to_numpy(),
        age=np.where(rendered.age.loc[photos.person].to_numpy() < 40, "below 40", "40 and above"),
        skin=rendered.skin.loc[photos.person].to_numpy(),
        pose=np.select([yaw < 15, yaw < 30], ["turned below 15°", "15° to 30°"], "30° and above"),
        expression=about.expr,
        glasses=np.where(about.glasses.isna(), "without", "with"),
    )


def table(photos: pd.DataFrame, right: np.ndarray, scores: np.ndarray, threshold: float) -> list[dict]:
    """Count per group: photos, right names, wrong names, refusals, and the interval of the right ones."""
    rows = []
    for column in ("sex", "age", "skin", "pose", "expression", "glasses"):
        for group in sorted(photos[column].unique()):
            inside = (photos[column] == group).to_numpy()
            named = inside & (scores >= threshold)
            good, count = int((named & right).sum()), int(inside.sum())
            rows.append(
                {
                    "label": column,
                    "group": str(group),
                    "people": int(photos.person[inside].nunique()),
                    "photos": count,
                    "right": good,
                    "wrong": int((named & ~right).sum()),
                    "refused": count - int(named.sum()),
                    "interval": [round(value, 3) for value in wilson(good, count)],
                    "mean_score": round(float(scores[inside].mean()), 3),
                }
            )
    return rows


def main() -> None:
    """Write outputs/sample/groups.json; the six notebooks have run on the sample before."""
    _, _, about = load_head("sample")
    photos = photos_with_groups()
    embeddings = embed_manifest(photos, about["backbone"], views=about["views"])
    usable = np.isfinite(embeddings).all(1)
    photos, embeddings = photos[usable].reset_index(drop=True), embeddings[usable]
    labels = pd.factorize(photos.person)[0].astype(np.int64)
    best, scores = leave_one_out(embeddings, labels)
    rows = table(photos, best == labels, scores, load_decision("sample")["threshold"])
    result = {"protocol": PROTOCOL, "rows": rows}
    write_atomically(outputs_for("sample") / "groups.json", (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
