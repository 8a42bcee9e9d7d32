"""Errors by group on the rendered people, whose sex, age, skin, pose, expression and glasses are known."""

import json

import numpy as np
import pandas as pd

from facecourse.core.cache import write_atomically
from facecourse.core.paths import DATA, outputs_for
from facecourse.embedding.backbones import find_backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.embedding.galleries import load_gallery
from facecourse.metrics.uncertainty import share_of
from facecourse.photos.dataset import load_manifest


def leave_one_out(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Name each photo, (n, d) unit rows of persons 0 ... k-1, by the nearest centroid without its own help.

    Returns the person named, (n,), and the cosine similarity to them, (n,). Everybody needs two photos.
    """
    sums = np.stack([embeddings[labels == person].sum(0) for person in range(labels.max() + 1)])
    scores = embeddings @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T
    own = sums[labels] - embeddings
    scores[np.arange(len(labels)), labels] = (embeddings * own).sum(1) / np.linalg.norm(own, axis=1)
    return scores.argmax(1), scores.max(1)


def groups_of(photos: pd.DataFrame) -> pd.DataFrame:
    """Return what is known about the manifest's rows of rendered people: a column per label, a row per photo."""
    person = pd.read_csv(DATA / "people_rendered.csv").set_index("person").loc[photos.person]
    photo = pd.read_json(DATA / "photos.json", orient="index")
    photo = photo.loc[[path.removeprefix("data/") for path in photos.path]]
    pose = pd.cut(
        photo.yaw.abs(), [-1, 15, 30, 180], right=False, labels=["below 15°", "15° to 30°", "30° and above"]
    )
    labels = {
        "sex": person.sex,
        "age": np.where(person.age < 40, "below 40", "40 and above"),
        "skin": person.skin,
        "pose": pose.astype(str),
        "expression": photo.expr,
        "glasses": np.where(photo.glasses.isna(), "without", "with"),
    }
    return pd.DataFrame({name: np.asarray(column) for name, column in labels.items()}, index=photos.index)


def table(groups: pd.DataFrame, person: pd.Series, right: np.ndarray, named: np.ndarray) -> list[dict]:
    """Count photos by each label of `groups`: `right` would get the right name, `named` are above the threshold.

    The interval is that of the share of right photos, over the people.
    """
    rows = []
    for label in groups:
        for group in sorted(groups[label].unique()):
            inside = (groups[label] == group).to_numpy()
            share = share_of((named & right)[inside], person[inside])
            counts = {
                "right": share.hits,
                "wrong": int((inside & named).sum()) - share.hits,
                "refused": int((inside & ~named).sum()),
            }
            row = {"label": label, "group": group, "people": share.people, "photos": share.photos, **counts}
            rows.append(row | {"interval": f"{share.low:.3f} to {share.high:.3f}"})
    return rows


def main() -> None:
    """Write outputs/sample/groups.json; the notebooks have run on the sample before."""
    gallery, manifest = load_gallery("sample", decided=True), load_manifest("sample")
    backbone = find_backbone(gallery.about["backbone"], gallery.about["views"])
    photos = manifest[(manifest.source == "people") & (manifest.faces > 0)].reset_index(drop=True)
    labels, _ = pd.factorize(photos.person)
    best, scores = leave_one_out(embed_manifest(photos, backbone), labels)
    rows = table(groups_of(photos), photos.person, best == labels, scores >= gallery.threshold)
    write_atomically(outputs_for("sample") / "groups.json", (json.dumps(rows, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
