"""What notebook 08 needs: how a recogniser fails, and what attacks on it look like."""

import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from facecourse.core.figures import COLOURS, STYLE, figure
from facecourse.core.paths import DATA
from facecourse.metrics.uncertainty import drawn_anew, interval
from lambda_function.photos import open_photo


def people_to_choose_on(persons: np.ndarray, never: set[str], seed: int = 0) -> np.ndarray:
    """Mark the photos, (n,) bool, of half of the people, by chance: thresholds are chosen on them, figures on the others.

    People in `never` are always among the others.
    """
    names = np.random.default_rng(seed).permutation(np.setdiff1d(persons, sorted(never)))
    return np.isin(persons, names[: len(np.unique(persons)) // 2])


def relation(first: str, second: str, kinship: dict[str, dict]) -> str:
    """Return "twin", "sibling" or "no kin"; `kinship` holds of each person name and relation of the relatives."""
    return (kinship.get(first) or {}).get(second, "no kin")


def fmr_by_group(
    scores, left, right, groups, threshold: float, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return per group FMR, 0 to 1, with a 95 % interval over people, and how many pairs of photos and people it rests on.

    `scores` (n,) are of pairs of two different people, named in `left` and `right`; `groups` (n,) says which group a pair
    belongs to. People are drawn anew, and a pair counts as often as both its people do together. With fewer than
    three people there is nothing to draw: the interval is nan. Where all or no pairs match it is Wilson's, over pairs of
    people.
    """
    scores, rows = np.asarray(scores), {}
    for group in pd.unique(np.asarray(groups)):
        of = np.asarray(groups) == group
        names, both = np.unique(np.concatenate([left[of], right[of]]), return_inverse=True)
        a, b = both.reshape(2, -1)
        matched = scores[of] >= threshold
        pairs = len({tuple(sorted(pair)) for pair in zip(a.tolist(), b.tolist(), strict=True)})
        low = high = np.nan
        if len(names) > 2:
            weights = drawn_anew(len(names), draws, seed)
            counts, hits = np.zeros((2, len(names), len(names)))
            np.add.at(counts, (a, b), 1)
            np.add.at(hits, (a, b), matched)
            drawn, false = (np.einsum("di,ij,dj->d", weights, table, weights) for table in (counts, hits))
            low, high = interval(matched.mean(), false[drawn > 0] / drawn[drawn > 0], pairs)
        rows[group] = {"FMR": matched.mean(), "low": low, "high": high}
        rows[group] |= {"pairs of photos": int(of.sum()), "pairs of people": pairs, "people": len(names)}
    return pd.DataFrame(rows).T.astype({"pairs of photos": int, "pairs of people": int, "people": int})


def error_versus_reject(
    missed, first, second, persons, quality, shares, draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return FNMR after the worst photos are refused: share refused, FNMR, its interval, what is gained, its interval.

    `missed` (n,) bool tells of each mated pair whether it was not accepted; `first`, `second` (n,) are its photos, and
    `persons`, `quality` belong to photos. 95 % intervals by drawing people anew, the same ones before and after;
    Wilson's over people where all or none are missed.
    """
    used = np.unique(np.concatenate([first, second]))
    names, owner = np.unique(np.asarray(persons)[first], return_inverse=True)
    weights = drawn_anew(len(names), draws, seed)

    def rates(kept):
        pairs = np.bincount(owner, weights=kept, minlength=len(names))
        errors = np.bincount(owner, weights=kept & missed, minlength=len(names))
        return errors.sum() / max(pairs.sum(), 1), weights @ errors / np.maximum(weights @ pairs, 1)

    before, drawn_before = rates(np.ones(len(first), bool))
    rows = []
    for share in shares:
        limit = np.quantile(quality[used], share) if share else -np.inf
        kept = (quality[first] >= limit) & (quality[second] >= limit)
        after, drawn = rates(kept)
        rows.append([share, after, *interval(after, drawn, len(names)), before - after])
        rows[-1] += [*np.quantile(drawn_before - drawn, [0.025, 0.975]), int(kept.sum())]
    columns = ["refused", "FNMR", "low", "high", "gain", "gain low", "gain high", "pairs left"]
    return pd.DataFrame(rows, columns=columns)


def turned_flat(image: np.ndarray, degrees: float, away: float = 3.0) -> np.ndarray:
    """Show a photo, (height, width, 3) uint8, as a flat print turned about its upright axis, seen from `away` widths."""
    height, width = image.shape[:2]
    angle = np.radians(degrees)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (width / 2, height / 2)
    depth = away * width + corners[:, 0] * np.sin(angle)
    seen = np.column_stack([corners[:, 0] * np.cos(angle), corners[:, 1]]) * (away * width / depth)[:, None]
    source, target = corners + (width / 2, height / 2), seen + (width / 2, height / 2)
    rows, wanted = [], []
    for (x, y), (u, v) in zip(target, source, strict=True):  # Pillow asks where each pixel comes from
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    eight = np.linalg.solve(np.array(rows), np.array(wanted))
    picture = Image.fromarray(image).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        tuple(eight),
        Image.Resampling.BICUBIC,
        fillcolor=(120, 120, 118),
    )
    return np.asarray(picture)


def recaptured(image: np.ndarray, medium: str, seed: int = 0) -> np.ndarray:
    """Imitate what a camera sees of a photo on "paper" or on a "screen": (height, width, 3) uint8, the same size.

    Paper has less contrast, a warm tone, the dots of print and a blur; a screen has glowing blue, moire between its pixels
    and the camera's, and a reflection. An imitation is no recording: real attacks look different again.
    """
    chance = np.random.default_rng(seed)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    angle = chance.uniform(0.1, 0.4)
    across = x * np.cos(angle) + y * np.sin(angle)
    light = image / 255.0
    if medium == "paper":
        dots = 1 + 0.05 * np.sin(across * 1.9) * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 1.9)
        light = (0.12 + 0.76 * light) * np.array([1.04, 1.0, 0.9]) * dots[..., None]
    elif medium == "screen":
        moire = np.stack([np.sin(across * 0.55 + phase) for phase in (0.0, 2.1, 4.2)], axis=-1)
        glare = np.exp(-(((x - width * 0.75) / width) ** 2 + ((y - height * 0.2) / height) ** 2) / 0.03)
        light = light**0.9 * np.array([0.94, 1.0, 1.1]) * (1 + 0.07 * moire) + 0.18 * glare[..., None]
    else:
        raise ValueError(f'medium must be "paper" or "screen", not {medium!r}')
    picture = Image.fromarray(
        (np.clip(light + chance.normal(0, 0.012, light.shape), 0, 1) * 255).astype(np.uint8)
    )
    packed = io.BytesIO()
    picture.filter(ImageFilter.GaussianBlur(0.8)).save(packed, "JPEG", quality=80)
    return np.asarray(Image.open(packed).convert("RGB"))


def turn_frames(folder: Path = DATA / "turn") -> tuple[list[np.ndarray], pd.DataFrame]:
    """Return the frames of the rendered head that turns, (h, w, 3) uint8 each, and what is known of each: yaw and more."""
    told = json.loads((folder / "turn.json").read_text())
    truth = pd.DataFrame(told["frames"]).T.assign(person=told["person"])
    return [open_photo(folder / name) for name in truth.index], truth


# ---- figures -------------------------------------------------------------------------------------------------


def plot_importance(crops: list[np.ndarray], maps: list[np.ndarray], texts: list[str]):
    """Draw each crop, and below it how much similarity is lost, (size, size), when a place is covered; one scale for all."""
    picture, axes = figure(2, len(crops), width=2.5, height=2.4, squeeze=False)
    most = max(float(np.abs(heat).max()) for heat in maps)
    with plt.rc_context(STYLE):
        for column, (crop, heat, text) in enumerate(zip(crops, maps, texts, strict=True)):
            axes[0, column].imshow(crop)
            axes[1, column].imshow(crop.mean(2), cmap="gray")
            shown = axes[1, column].imshow(heat, cmap="PuOr_r", vmin=-most, vmax=most, alpha=0.65)
            axes[0, column].set_title(text, fontsize=9)
        for panel in axes.ravel():
            panel.set(xticks=[], yticks=[])
            panel.grid(False)
        picture.colorbar(shown, ax=axes[1, :], label="similarity lost", shrink=0.9)
    return picture


def plot_rejection(curves: dict[str, pd.DataFrame], people: int):
    """Draw FNMR against the share of photos refused, for each measure of quality; the first with its interval as a band."""
    picture, axes = figure(width=6.0)
    for number, (name, table) in enumerate(curves.items()):
        axes.plot(table["refused"] * 100, table["FNMR"] * 100, marker="o", markersize=3, label=name)
        if number == 0:
            axes.fill_between(
                table["refused"] * 100,
                table["low"] * 100,
                table["high"] * 100,
                alpha=0.15,
                color=COLOURS["blue"],
            )
    pairs = next(iter(curves.values()))["pairs left"].iloc[0]
    axes.set(xlabel="photos refused, the worst first (%)", ylabel="FNMR (%)", ylim=(0, None))
    axes.set_title(f"Error versus reject: {pairs} mated pairs of {people} people; band: 95 % of the first")
    axes.legend(title="refused by")
    return picture


def plot_rates(table: pd.DataFrame, label: str, mark: float | None = None, title: str = ""):
    """Draw the first column with its interval (low, high; nan: none) in per cent, N beside each name; `mark` dashed."""
    value = table.columns[0]
    picture, axes = figure(width=6.4, height=0.9 + 0.36 * len(table))
    place = np.arange(len(table))[::-1]
    most = max(float(np.nanmax(table[[value, "high"]].to_numpy())), mark or 0, 0.01)
    axes.hlines(
        place, table["low"] * 100, table["high"] * 100, color=COLOURS["blue"], linestyle="-", linewidth=2
    )
    axes.plot(table[value] * 100, place, "o", color=COLOURS["red"], linestyle="none")
    axes.set_yticks(place, [f"{name} (N = {n})" for name, n in zip(table.index, table["N"], strict=True)])
    axes.set(xlabel=label, ylim=(-0.6, len(table) - 0.4), xlim=(-3 * most, 103 * most))
    axes.set_title(title)
    if mark is not None:
        axes.axvline(mark * 100, color=COLOURS["black"], linestyle="--", linewidth=1)
    return picture


def plot_turns(degrees: np.ndarray, turns: dict[str, np.ndarray], threshold: float):
    """Draw the depth that the landmarks show against the head's true yaw, for each way to present a face."""
    picture, axes = figure(width=6.4)
    for name, depth in turns.items():
        axes.plot(degrees, depth, label=name)
    axes.axhline(threshold, color=COLOURS["black"], linestyle=":", linewidth=1.5, label="live from here on")
    axes.set(xlabel="yaw (degrees)", ylabel="nose off the plane (distances of the eyes)", ylim=(0, None))
    axes.set_title(f"A head turning, {len(degrees)} frames")
    axes.legend(loc="upper center")
    return picture
