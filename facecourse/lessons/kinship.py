"""How alike two photos are, against what only rendered people let one know: kinship, age, pose, size and condition."""

import numpy as np
import pandas as pd

from facecourse.core.figures import COLOURS, figure
from facecourse.embedding.photo_sets import centroids
from facecourse.photos.truth import true_conditions

RELATIONS = ("same person", "same, years later", "twin", "sibling", "no kin")


def _own_photos(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return `true_conditions` of the manifest's photos of the sample's people, with their row and person."""
    known = true_conditions(manifest)
    rows = np.flatnonzero(manifest["path"].str.startswith("data/people/") & known["condition"].notna())
    return known.iloc[rows].assign(row=rows, person=manifest["person"].to_numpy()[rows])


def similarity_by_kinship(manifest: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """Return person, other, relation (one of RELATIONS) and cosine of all pairs of plain photos.

    `vectors` (len(manifest), d) has unit rows, nan without a face.
    """
    photos = _own_photos(manifest)
    photos = photos[(photos["condition"] == "plain") & np.isfinite(vectors[photos["row"]]).all(1)]
    known = photos.to_dict("records")
    left, right = np.triu_indices(len(known), 1)
    rows = vectors[photos["row"]]
    cosines = (rows[left] * rows[right]).sum(1)

    def relation(a: dict, b: dict) -> str:
        if a["person"] == b["person"]:
            return "same person" if a["age"] == b["age"] else "same, years later"
        return a["kinship"].get(b["person"], "no kin")

    pairs = [
        (known[i]["person"], known[j]["person"], relation(known[i], known[j]))
        for i, j in zip(left, right, strict=True)
    ]
    return pd.DataFrame(pairs, columns=["person", "other", "relation"]).assign(cosine=cosines)


def similarity_by_condition(manifest: pd.DataFrame, vectors: np.ndarray) -> pd.DataFrame:
    """Return the truth of each photo with its cosine to the mean of the same person's other plain photos.

    Photos without a face have a cosine of nan. `vectors` is that of `similarity_by_kinship`.
    """
    photos = _own_photos(manifest)
    own = vectors[photos["row"]]
    plain = ((photos["condition"] == "plain") & np.isfinite(own).all(1)).to_numpy()
    labels, names = pd.factorize(photos["person"])
    cosines = np.full(len(photos), np.nan)
    for i in range(len(photos)):
        others = plain & (labels == labels[i]) & (np.arange(len(photos)) != i)
        if others.any():
            cosines[i] = own[i] @ centroids(own[others], np.zeros(others.sum(), int), 1)[0]
    return photos.assign(cosine=cosines)


def plot_similarity(pairs: pd.DataFrame, photos: pd.DataFrame, threshold: float):
    """Draw similarity by kinship, from `similarity_by_kinship`, and by yaw and size, from `similarity_by_condition`."""
    picture, (left, middle, right) = figure(1, 3, width=4.2, height=3.6, width_ratios=(1.25, 1, 1))
    there = [name for name in RELATIONS if (pairs["relation"] == name).any()]
    cosines = [pairs["cosine"][pairs["relation"] == name] for name in there]
    left.boxplot(cosines, orientation="horizontal", whis=(5, 95), showfliers=False, widths=0.6,
                 medianprops={"color": COLOURS["red"], "linewidth": 2, "linestyle": "-"})  # fmt: skip
    left.set_yticks(
        range(1, len(there) + 1),
        [f"{name}\nN = {len(own):,}" for name, own in zip(there, cosines, strict=True)],
    )
    left.invert_yaxis()
    left.axvline(threshold, color="black", linestyle=":")
    left.set(xlabel="cosine of two plain photos", title="Kinship: box 25–75 %, line 5–95 %")
    hard = np.where(photos["condition"] == "plain", 0, photos["condition"].str.count(r"\+") + 1)
    looks = (("plain", "blue", "o"), ("one condition", "orange", "s"), ("two or three", "red", "^"))
    for axes, key, label in (
        (middle, "yaw", "head turned by (degrees of yaw)"),
        (right, "pixels", "width of the face (pixels)"),
    ):
        for level, (name, colour, marker) in enumerate(looks):
            part = photos[np.minimum(hard, 2) == level]
            style = {"color": COLOURS[colour], "markersize": 4, "alpha": 0.7, "linestyle": "none"}
            label_of = f"{name}, N = {part['cosine'].notna().sum()}"
            axes.plot(part[key].abs(), part["cosine"], marker, label=label_of, **style)
        axes.axhline(threshold, color="black", linestyle=":")
        axes.set(xlabel=label, ylim=(min(0, photos["cosine"].min() - 0.05), 1))
    middle.set_ylabel("cosine to the person's plain photos")
    right.set_xscale("log")
    right.set_xticks([20, 40, 80, 160], ["20", "40", "80", "160"])
    right.minorticks_off()
    picture.legend(*middle.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return picture
