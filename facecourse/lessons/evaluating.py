"""Pictures of the evaluation: curves, histograms, the confusion matrix, every mistake, and a map of embeddings."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from facecourse.core.figures import COLOURS, LINES, STYLE, figure
from facecourse.detection.faces_pictures import face_crop, show_pairs
from facecourse.embedding.photo_sets import PhotoSet
from facecourse.metrics.impostors import AllPairs
from facecourse.metrics.open_set import Reliability
from facecourse.metrics.verification import Pairs

MARKERS = "osD^vP*X"


def plot_roc(
    curves: dict[str, tuple[np.ndarray, np.ndarray]],
    mark: float = 1e-3,
    interval: tuple[float, float] | None = None,
    title: str = "",
):
    """Draw ROC curves, {label: (FMR, TAR)}, with FMR on a logarithmic axis, one FMR marked and TAR's interval there."""
    picture, axes = figure()
    with plt.rc_context(STYLE):
        for (label, (fmr, tar)), colour, line in zip(curves.items(), COLOURS.values(), LINES, strict=False):
            axes.step(np.maximum(fmr, 1e-5), tar, where="post", color=colour, linestyle=line, label=label)
        axes.axvline(mark, color="#888888", linestyle=":", label=f"FMR = {mark:g}")
        lowest = min(float(tar[fmr <= mark].max(initial=0)) for fmr, tar in curves.values())
        if interval:
            axes.vlines(
                mark, *interval, color=COLOURS["red"], linestyle="-", linewidth=4, alpha=0.6, label="95 %"
            )
            lowest = min(lowest, interval[0])
        axes.set(xscale="log", xlim=(1e-4, 1), ylim=(max(0.0, min(0.95, lowest - 0.05)), 1.005))
        axes.set(xlabel="FMR (share of two people's pairs accepted)", title=title or "Verification: ROC")
        axes.set(ylabel="TAR (share of one person's accepted)")
        axes.legend(loc="lower right")
    return picture


def plot_errors(thresholds: np.ndarray, fmr: np.ndarray, fnmr: np.ndarray, crossing: int):
    """Draw both error rates against the threshold, (n,) each, and mark place `crossing`, where they are equal."""
    picture, axes = figure()
    at, equal = thresholds[crossing], (fmr[crossing] + fnmr[crossing]) / 2
    with plt.rc_context(STYLE):
        axes.step(
            thresholds, fmr * 100, "--", where="pre", color=COLOURS["red"], label="FMR: two people accepted"
        )
        axes.step(
            thresholds, fnmr * 100, "-", where="pre", color=COLOURS["blue"], label="FNMR: one person refused"
        )
        axes.plot(at, equal * 100, "o", color="black", label=f"EER {equal:.1%}")
        axes.set(xlabel="threshold (cosine)", ylabel="rate (% of pairs)", ylim=(-2, 102))
        axes.set_title("Both errors at every threshold")
        picture.legend(loc="outside lower center", ncols=3, fontsize=8)
    return picture


def plot_det(pairs: AllPairs, draws: int = 200):
    """Draw FNMR against FMR, both logarithmic, with a 95 % band for which people are drawn anew."""
    picture, axes = figure()
    wanted = np.logspace(-6, 0, 121)
    curves = pairs.fnmr_at(wanted, draws)
    compared = pairs.non_mated.sum() / 2
    shown = wanted >= 3 / max(compared, 3)  # fewer than three pairs say nothing
    low, high = np.quantile(curves[1:], [0.025, 0.975], axis=0)
    with plt.rc_context(STYLE):
        axes.fill_between(
            wanted[shown], low[shown], high[shown], color=COLOURS["sky"], alpha=0.4, linewidth=0, label="95 %"
        )
        axes.plot(wanted[shown], curves[0][shown], color=COLOURS["blue"])
        axes.set(
            xscale="log", yscale="log", xlabel="FMR (two people taken for one)", ylabel="FNMR (one for two)"
        )
        axes.set(ylim=(3 / max(pairs.mated.sum() / 2, 3), 1))
        axes.set(title=f"DET: {compared:,.0f} non-mated, {pairs.mated.sum() / 2:,.0f} mated pairs")
        axes.legend(loc="upper right")
    return picture


def plot_hills(data: dict[str, dict[str, list[int]]]):
    """Draw the cosines of pairs, {data set: {"mated" or "non-mated": pairs in equal bins from -1 to 1}}, a panel each."""
    picture, axes = figure(len(data), 1, width=7.6, height=1.9, sharex=True, squeeze=False)
    with plt.rc_context(STYLE):
        for panel, (name, kinds) in zip(axes[:, 0], data.items(), strict=True):
            looks = zip(kinds.items(), ("blue", "black"), ("-", "--"), strict=True)
            for (kind, counts), colour, line in looks:
                edges = np.linspace(-1, 1, len(counts) + 1)
                style = {"color": COLOURS[colour], "linestyle": line, "label": f"{kind}, N = {sum(counts):,}"}
                panel.stairs(100 * np.array(counts) / max(sum(counts), 1), edges, **style)
            panel.set(title=name, xlim=(-0.5, 1), ylabel="% of pairs")
            panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
        panel.set_xlabel("cosine of two photos")
    return picture


def plot_reliability(found: Reliability):
    """Draw how often a confidence came true against what it said, with 95 % intervals over people."""
    picture, axes = figure(width=4.6, height=4.0)
    table = found.table
    bars = np.abs(table[["low", "high"]].to_numpy().T - table["found"].to_numpy())
    with plt.rc_context(STYLE):
        axes.plot([0, 1], [0, 1], color="#888888", linestyle=":", label="as often as said")
        axes.errorbar(
            table["said"], table["found"], bars, fmt="o", color=COLOURS["blue"], capsize=3, label="measured"
        )
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="confidence", ylabel="share named rightly")
        axes.set_title(
            f"{table['photos'].sum():,} photos, Brier score {found.brier:.3f} "
            f"[{found.interval[0]:.3f}, {found.interval[1]:.3f}]",
            fontsize=10,
        )
        picture.legend(loc="outside lower center", ncols=2)
    return picture


def plot_robustness(table: pd.DataFrame):
    """Draw FNMR and the share of photos without a face against how hard a photo was made, a panel per kind.

    `table` is from `robustness`; its first row, photos as they are, begins every panel.
    """
    kinds = list(dict.fromkeys(table["kind"]))[1:]
    picture, _ = figure(width=9.5, height=5.0)
    picture.clear()
    with plt.rc_context(STYLE):
        panels = picture.subplots(2, 3, sharey=True).ravel()
        for panel, kind in zip(panels, kinds, strict=True):
            rows = pd.concat([table.iloc[:1], table[table["kind"] == kind]])
            place = np.arange(len(rows))
            panel.plot(place, rows["FNMR"] * 100, "o-", color=COLOURS["blue"], label="FNMR")
            band = {"color": COLOURS["sky"], "alpha": 0.4, "linewidth": 0}
            panel.fill_between(place, rows["low"] * 100, rows["high"] * 100, **band)
            panel.plot(place, rows["no face"] * 100, "s--", color=COLOURS["red"], label="no face found")
            panel.set_xticks(place, ["as it is", *(f"{level:g}" for level in rows["level"][1:])], fontsize=8)
            panel.set(title=kind, ylim=(-3, 103))
        picture.supylabel(f"% of {table['pairs'].max()} photos, one per person", fontsize=9)
        panels[0].legend(loc="upper left", fontsize=8)
    return picture


def plot_scores(
    groups: dict[str, np.ndarray], threshold: float | None = None, xlabel: str = "cosine similarity"
):
    """Draw histograms of scores, {label: scores}, as shares of each group, and a line at the threshold."""
    picture, axes = figure()
    everything = np.concatenate(list(groups.values()))
    bins = np.linspace(everything.min() - 0.02, everything.max() + 0.02, 50)
    with plt.rc_context(STYLE):
        for (label, scores), colour, line in zip(groups.items(), COLOURS.values(), LINES, strict=False):
            label = f"{label}, N = {len(scores):,}"
            same = {"bins": bins, "weights": np.full(len(scores), 1 / max(len(scores), 1)), "color": colour}
            axes.hist(scores, alpha=0.25, **same)
            axes.hist(scores, histtype="step", linestyle=line, label=label, **same)
        if threshold is not None:
            axes.axvline(threshold, color="black", linestyle=":", label=f"threshold {threshold:.3f}")
        axes.set(xlabel=xlabel, ylabel="share of each group")
        picture.legend(loc="outside lower center", ncols=3, fontsize=8)
    return picture


def plot_fpir_fnir(
    thresholds: np.ndarray, fpir: np.ndarray, fnir: np.ndarray, threshold: float, title: str = ""
):
    """Draw FPIR and FNIR against the threshold, (n,) each, and mark the chosen one."""
    picture, axes = figure(width=7.4)
    with plt.rc_context(STYLE):
        axes.plot(thresholds, fpir * 100, "--", color=COLOURS["red"], label="FPIR: strangers named")
        axes.plot(
            thresholds,
            fnir * 100,
            "-",
            color=COLOURS["blue"],
            label="FNIR: known people\nrefused or misnamed",
        )
        axes.axvline(threshold, color="black", linestyle=":", label=f"chosen: {threshold:.3f}")
        axes.set(xlabel="threshold (score)", ylabel="rate (% of photos)", ylim=(-1, 40))
        axes.set_title(title or "Strangers named, and known people refused")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return picture


def plot_confusion(names: list[str], true: np.ndarray, predicted: np.ndarray):
    """Draw who is taken for whom: rows are the true person, columns the predicted one, the numbers are photos.

    `true` and `predicted` are positions in `names`, one per photo; a predicted -1 is someone outside `names`.
    """
    columns = [*names, "someone else"] if (predicted < 0).any() else list(names)
    counts = np.zeros((len(names), len(columns)), int)
    np.add.at(counts, (true, np.where(predicted < 0, len(names), predicted)), 1)
    side = max(3.5, 0.36 * len(columns) + 1.8)
    picture, axes = figure(width=side + 0.6, height=side)
    with plt.rc_context(STYLE):
        axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(counts.max(), 1) * 1.3)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if count > 0.65 * counts.max() else "black"
                axes.text(column, row, count, ha="center", va="center", fontsize=8, color=colour)
        labels = [name.replace("_", " ") for name in columns]
        axes.set_xticks(range(len(columns)), labels, rotation=60, ha="right", fontsize=8)
        axes.set_yticks(range(len(names)), labels[: len(names)], fontsize=8)
        axes.set(xlabel="named as", ylabel="person in the photo")
        axes.set_title(f"{len(true)} photos of the reader's people")
        axes.grid(False)
    return picture


def plot_by_photos(table: pd.DataFrame, own: pd.DataFrame | None = None):
    """Draw top-1 against the number of training photos per person, with the spread over random choices.

    Both tables are from `accuracy_by_photos`; `own` is the one of the reader's people.
    """
    picture, axes = figure()
    with plt.rc_context(STYLE):
        sides = (("all", table, "blue", "-"), ("the reader's people", own, "red", "--"))
        for label, rows, colour, line in sides:
            if rows is None or not len(rows) or (rows is own and own.equals(table)):
                continue
            below = rows["spread"]
            spread = np.stack([below, np.minimum(below, 1 - rows["top1"])]) * 100
            style = {"color": COLOURS[colour], "linestyle": line, "marker": "o", "capsize": 3}
            label = f"{label} ({rows['probes'].iloc[0]} photos of {rows['people'].iloc[0]} people)"
            axes.errorbar(rows["photos"], rows["top1"] * 100, spread, label=label, **style)
        ticks = sorted(set(table["photos"]))
        axes.set_xscale("log")
        axes.set_xticks(ticks, ticks)
        axes.minorticks_off()
        axes.set(xlabel="training photos per person", ylabel="top-1 (% of test photos)")
        axes.set_title("How many photos are enough? Bars: over random choices", fontsize=10)
        picture.legend(loc="outside lower center", fontsize=8)
    return picture


def show_misnamed(
    manifest: pd.DataFrame, embeddings: np.ndarray, vectors: np.ndarray, photos: PhotoSet, wrong: np.ndarray
):
    """Draw misnamed photos, surest mistake first, each beside the most similar photo of whom it was taken for.

    `wrong` are positions in `photos`, from `identify` with the same `vectors`. Of more than 12, the first 12; None without.
    """
    scores = photos.embeddings[wrong] @ vectors.T
    persons, found = manifest["person"].to_numpy(), np.isfinite(embeddings).all(1)
    pairs, texts = [], []
    for place in np.argsort(-scores.max(1, initial=-1), kind="stable")[:12]:
        probe, guess = photos.rows[wrong[place]], int(scores[place].argmax())
        theirs = np.flatnonzero((persons == photos.names[guess]) & found)
        closest = theirs[np.argmax(embeddings[theirs] @ embeddings[probe])]
        pairs.append((face_crop(manifest.iloc[probe]), face_crop(manifest.iloc[closest])))
        own = scores[place, photos.labels[wrong[place]]]
        texts.append(
            f"{_photo(manifest, probe)}\nnot {_photo(manifest, closest)}\n"
            f"cosine {own:.2f} right, {scores[place, guess]:.2f} wrong"
        )
    return show_pairs(pairs, texts, title="Misnamed photos, each beside whom it was taken for")


def show_worst_pairs(manifest: pd.DataFrame, scores: np.ndarray, pairs: Pairs, same: bool):
    """Draw the eight hardest pairs: of one person and least similar, or of different people and most similar."""
    asked = np.flatnonzero((pairs.same == same) & np.isfinite(scores))
    chosen = asked[np.argsort(scores[asked] if same else -scores[asked], kind="stable")[:8]]
    sides = [(pairs.left[i], pairs.right[i]) for i in chosen]
    crops = [tuple(face_crop(manifest.iloc[row]) for row in rows) for rows in sides]
    texts = [
        "\n".join([*(_photo(manifest, row) for row in rows), f"cosine {scores[i]:.2f}"])
        for i, rows in zip(chosen, sides, strict=True)
    ]
    title = "Same person, least similar" if same else "Different people, most similar"
    return show_pairs(crops, texts, title=title)


def _photo(manifest: pd.DataFrame, row: int) -> str:
    return Path(manifest["path"].iloc[row]).stem.replace("_", " ")


def map_of_embeddings(
    manifest: pd.DataFrame, embeddings: np.ndarray, photos: int = 600, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Lay embeddings (len(manifest), d) out in two dimensions by t-SNE (van der Maaten and Hinton, 2008, JMLR 9).

    At most `photos` of them: the reader's people first, then whole other people by chance. Returns places (n, 2) and
    whose photo lies there, (n,) str.
    """
    from sklearn.manifold import TSNE  # a second

    chance = np.random.default_rng(seed)
    found = np.isfinite(embeddings).all(1)
    persons, own = manifest["person"].to_numpy(), (manifest["source"] == "people").to_numpy()
    others = sorted(set(persons[found]) - set(persons[own]))
    order = {name: place for place, name in enumerate(chance.permutation(others))}
    rank = np.array([order.get(name, -1) for name in persons])
    rows = np.flatnonzero(found)
    rows = rows[np.argsort(rank[rows], kind="stable")][:photos]
    perplexity = min(20.0, (len(rows) - 1) / 4)
    points = TSNE(2, perplexity=perplexity, init="pca", metric="cosine", random_state=seed, n_jobs=1)
    return points.fit_transform(embeddings[rows]), persons[rows].astype(str)


def neighbours_agree(points: np.ndarray, persons: np.ndarray) -> float:
    """Return the share of places (n, 2) whose nearest neighbour is the same person's, of people with two or more."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=2).fit(points).kneighbors(points, return_distance=False)[:, 1]
    several = pd.Series(persons).duplicated(keep=False).to_numpy()
    return float((persons[nearest] == persons)[several].mean())


def plot_map(points: np.ndarray, persons: np.ndarray, shown: list[str], title: str = ""):
    """Draw a two-dimensional map of embeddings: the `shown` people in colour and by shape, others in grey."""
    picture, axes = figure(width=7.6, height=5.0)
    with plt.rc_context(STYLE):
        rest = {"color": "#BBBBBB", "markersize": 3, "linestyle": "none", "label": "everyone else"}
        axes.plot(*points[~np.isin(persons, shown)].T, ".", **rest)
        for i, name in enumerate(shown):
            # Few people differ by shape and colour; more than there are colours, by shape within a colour.
            shape = i // len(COLOURS) if len(shown) > len(COLOURS) else i
            axes.plot(
                *points[persons == name].T,
                MARKERS[shape % len(MARKERS)],
                color=list(COLOURS.values())[i % len(COLOURS)],
                markersize=5,
                markeredgecolor="black",
                markeredgewidth=0.3,
                label=name.replace("_", " "),
            )
        axes.set(xticks=[], yticks=[], title=title)
        axes.grid(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    return picture
