"""The dataset as pictures: who is in it, what is odd about some photos, how many photos fall on which side."""

import json
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from facecourse.core import paths
from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.detection import detector
from facecourse.detection.faces_pictures import face_crop, show_faces
from facecourse.embedding.backbones import Backbone
from facecourse.photos.dataset import check_photos
from facecourse.photos.files import scan
from lambda_function.photos import PhotoError, open_photo, shrink

TILE = 160  # pixels
SIDES = {  # of course_split, with colour and hatch, so that grey print tells them apart too
    "train": ("blue", ""),
    "val": ("orange", "//"),
    "test": ("green", ".."),
    "unknown_val": ("sky", "\\\\"),
    "unknown_test": ("pink", "xx"),
}


def show_people(manifest: pd.DataFrame, source: str = "people", most: int = 16):
    """Draw the first face of each person of one source, with the number of their photos.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    source : str
        "people", "others", "celebrities" or "lfw".
    most : int
        People to show.
    """
    part = manifest[(manifest.source == source) & (manifest.faces > 0)]
    counts = manifest[manifest.source == source].person.value_counts()
    first = part.sort_values("path").drop_duplicates("person").sort_values("person")
    rows = [row for _, row in first.head(most).iterrows()]
    texts = [f"{_short(row.person)}\n{counts[row.person]} photos" for row in rows]
    return show_faces([face_crop(row) for row in rows], texts)


def show_problems(manifest: pd.DataFrame, checks: pd.DataFrame, each: int = 3):
    """Draw up to `each` photos for every kind of problem that was found.

    Boxes show the face that was taken (full line) and others (dashed). A copy stands beside its original,
    and a photo that looks like somebody else beside that person's most typical one. What cannot be opened is
    an empty tile.

    Parameters
    ----------
    manifest, checks : DataFrame
        From `dataset.load_manifest` and `dataset.load_checks`.
    each : int

    Returns
    -------
    Figure or None
        None when nothing was found.
    """
    shown = checks[(checks.path != "") & checks.path.isin(manifest.path)]
    rows = shown.groupby(["kind", "check"], sort=False).head(each)
    rows = rows.sort_values(
        "kind", key=lambda kinds: kinds.map({"unusable": 0, "look": 1, "note": 2}), kind="stable"
    )
    if rows.empty:
        return None
    by_path = manifest.drop_duplicates("path").set_index("path", drop=False)
    columns = min(6, len(rows))
    picture, axes = figure(-(-len(rows) // columns), columns, width=1.9, height=2.05, squeeze=False)
    with plt.rc_context(STYLE):
        for panel in axes.ravel():
            panel.axis("off")
        for panel, row in zip(axes.ravel(), rows.itertuples(), strict=False):
            _draw_problem(panel, by_path, row)
            panel.set_title(f"{row.check.replace('_', ' ')}\n{_short(row.person)}", fontsize=8)
    return picture


def check_planted(backbone: Backbone) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Check the photos of data/problems, spoiled on purpose, together with the sample's people.

    Returned are a table with a row per planted photo, what was planted and what the checks found; all photos, as in the
    manifest; and the findings on the planted ones. A planted photo counts as its person's. All are empty without the folder.
    """
    folder = paths.DATA / "problems"
    listed = folder / "problems.json"
    truth = json.loads(listed.read_text()) if listed.exists() else []
    files = [
        file for part in (paths.PEOPLE_DIR, folder) if part.is_dir() for file in scan(part, "people", "")[0]
    ]
    photos, found, _, _ = check_photos(files, [], backbone, progress=False)
    paths_of = [str((paths.DATA / one["file"]).relative_to(paths.ROOT)) for one in truth]
    found = found[found.path.isin(paths_of)]
    said = found.groupby("path").check.agg(", ".join)
    rows = [
        (Path(path).name, one["problem"], said.get(path, ""))
        for path, one in zip(paths_of, truth, strict=True)
    ]
    return pd.DataFrame(rows, columns=["photo", "planted", "found"]), photos, found


def show_hashes(images: list[np.ndarray], bits: list[np.ndarray]):
    """Draw pictures and, below each, the bits of its perceptual hash, (8, 8) bool, with how many differ from the first's."""
    picture, axes = figure(2, len(images), width=2.1, height=2.2)
    for upper, lower, image, own in zip(*axes, images, bits, strict=True):
        upper.imshow(image)
        upper.set_title(f"{image.shape[1]} x {image.shape[0]}", fontsize=9)
        lower.imshow(own, cmap="cividis")
        lower.set_title(f"{(own != bits[0]).sum()} of {own.size} bits differ", fontsize=9)
        for panel in (upper, lower):
            panel.axis("off")
    return picture


def _draw_problem(panel, by_path: pd.DataFrame, row) -> None:
    photo = by_path.loc[row.path]
    tile = _tile(panel, photo)
    partner = row.other or (_typical(by_path, photo) if row.check == "different_person" else "")
    if tile is None:
        panel.add_patch(
            plt.Rectangle((0, 0), TILE, TILE, facecolor="#EEEEEE", edgecolor="#888888", hatch="//")
        )
        panel.text(TILE / 2, TILE / 2, "cannot be\nopened", ha="center", va="center", fontsize=8)
        panel.set(xlim=(0, TILE), ylim=(TILE, 0), aspect="equal")
    elif partner in by_path.index:
        other = face_crop(by_path.loc[partner])
        panel.clear()
        panel.axis("off")
        panel.imshow(np.concatenate([face_crop(photo), np.full((112, 6, 3), 255, np.uint8), other], axis=1))


def _tile(panel, photo: pd.Series) -> np.ndarray | None:
    """Draw a photo with the boxes of its faces; returns None where it cannot be opened."""
    try:
        image, scale = shrink(open_photo(paths.ROOT / photo.path), 2 * TILE)
    except (PhotoError, OSError):
        return None
    panel.imshow(image)
    if photo.faces:
        faces = detector.detect_photos([paths.ROOT / photo.path], [photo.sha256], progress=False)
        for face in faces[photo.sha256]:
            taken = np.abs(face.box - np.asarray(photo.box)).max() < 0.1
            x0, y0, x1, y1 = face.box * scale
            for width, colour in ((3.0, "black"), (1.6, COLOURS["yellow"])):  # seen on light and on dark
                line = {"linewidth": width, "edgecolor": colour, "linestyle": "-" if taken else ":"}
                panel.add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **line))
    return image


def _typical(by_path: pd.DataFrame, photo: pd.Series) -> str:
    """Pick a sharp photo of the same person that nothing is wrong with."""
    others = by_path[
        (by_path.person == photo.person) & (by_path.problem == "") & (by_path.path != photo.path)
    ]
    return "" if others.empty else str(others.quality.idxmax())


def plot_photos_per_person(manifest: pd.DataFrame):
    """Draw how many people have how many photos, by source; both axes are logarithmic.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    """
    counts = manifest.groupby(["source", "person"]).size()
    picture, axes = figure(width=6.0)
    with plt.rc_context(STYLE):
        styles = zip(counts.index.levels[0], ("blue", "orange", "green", "red"), "os^D", strict=False)
        for source, colour, marker in styles:
            people = counts[source].value_counts().sort_index()
            axes.loglog(people.index, people, marker, color=COLOURS[colour], label=source, alpha=0.85)
        axes.set(xlabel="photos of one person", ylabel="people with that many")
        axes.set_title("How many photos each person has")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:.0f}")
            axis.set_minor_formatter("")
        axes.legend()
    return picture


def plot_splits(manifest: pd.DataFrame, most: int = 60):
    """Draw how the photos fall on the sides of `course_split`.

    Up to `most` people get a bar each. More are put together by how many photos they have, and the bars
    show shares of their photos.

    Parameters
    ----------
    manifest : DataFrame
        From `load_manifest`.
    most : int
        People who get a bar each.
    """
    used = manifest[manifest.course_split.isin(list(SIDES))]
    table = used.groupby(["person", "course_split"]).size().unstack(fill_value=0)
    table = table.reindex(columns=list(SIDES), fill_value=0)
    totals = {side: int(table[side].sum()) for side in SIDES}
    if len(table) > most:
        bars, names = _by_number_of_photos(table)
    else:
        order = table.assign(all=table.sum(axis=1), name=table.index)
        bars, names = table.loc[order.sort_values(["all", "name"], ascending=[False, True]).index], None
    picture, axes = figure(width=9.0, height=3.4)
    with plt.rc_context(STYLE | {"hatch.linewidth": 0.5}):
        below = np.zeros(len(bars))
        for side, (colour, hatch) in SIDES.items():
            look = {"color": COLOURS[colour], "hatch": hatch, "edgecolor": "white", "linewidth": 0}
            label = f"{side}: {totals[side]:,} photos"
            axes.bar(np.arange(len(bars)), bars[side], 0.85, bottom=below, label=label, **look)
            below += bars[side].to_numpy()
        if names is None:
            axes.set(xlabel=f"{len(bars)} people, most photos first", ylabel="photos", xticks=[])
        else:
            axes.set(xlabel="photos that a person has (number of such people)", ylabel="share of photos (%)")
            axes.set_xticks(np.arange(len(bars)), names)
        axes.grid(axis="x", visible=False)
        axes.set(title="Course split: which photos are for what", xlim=(-0.7, len(bars) - 0.3))
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return picture


def _by_number_of_photos(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Sum up people with equally many photos; returns shares in percent, and a label per bar."""
    edges = [0, 1, 2, 3, 5, 10, 20, 50, np.inf]
    words = ["1", "2", "3", "4-5", "6-10", "11-20", "21-50", "51 and more"]
    which = pd.cut(table.sum(axis=1), edges, labels=words)
    sums, people = table.groupby(which, observed=True).sum(), which.value_counts()
    names = [f"{word}\n({people[word]:,})" for word in sums.index]
    return sums.div(sums.sum(axis=1), axis=0) * 100, names


def _short(name: str, length: int = 20) -> str:
    return name if len(name) <= length else f"{name[: length - 1]}…"


def show_collection(table: pd.DataFrame, person: str, most: int = 24):
    """Draw a person's photos, kept ones first, each with its verdict below.

    Parameters
    ----------
    table : DataFrame
        Every photo that was found, with its verdict.
    person : str
    most : int
        Photos to show.
    """
    part = table[(table.person == person) & (table.file != "")]
    part = part.assign(order=(part.verdict != "kept")).sort_values("order", kind="stable").head(most)
    pictures, texts = [], []
    for row in part.itertuples():
        try:
            photo = Image.fromarray(open_photo(row.file))
        except PhotoError:
            photo = Image.new("RGB", (TILE, TILE), "lightgrey")
        pictures.append(np.asarray(ImageOps.pad(photo, (TILE, TILE), color="white")))
        similarity = "" if np.isnan(row.similarity) else f"\nsimilarity {row.similarity:.2f}"
        texts.append(textwrap.fill(row.reason, 20) + similarity)
    return show_faces(pictures, texts, title=f"{person.replace('_', ' ')}: what was found")
