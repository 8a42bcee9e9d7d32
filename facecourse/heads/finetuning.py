"""Beyond the head: training the network's last block, at a small rate, on augmented photos."""

import copy
import hashlib
import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance
from torch import nn
from torch.nn import functional
from tqdm.auto import tqdm

from facecourse.core.cache import ContentCache, batches, cached
from facecourse.embedding.export import fold
from facecourse.embedding.photo_sets import centroids
from facecourse.heads.training import choose_device, mixed_precision
from facecourse.metrics.uncertainty import drawn_anew
from lambda_function.crops import normalise

TRAINED = ("block8", "last_linear", "last_bn")
MAPS = (1792, 3, 3)  # channels, height, width of what the frozen part hands on


SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}  # of a person's photos, as in course_split


# ---- a part of the dataset -----------------------------------------------------------------------------


def tuning_photos(manifest: pd.DataFrame, people: int = 20, photos: int = 16) -> pd.DataFrame:
    """Choose rows of a manifest on which passing photos through the network takes seconds, not hours.

    The reader's own people come first, then those with most photos; all have at least two to train on and another. Of
    each, at most `photos` are taken: so many of every side of course_split as SHARES says. The column `label` (int64)
    numbers the people by name.
    """
    usable = manifest[manifest["course_split"].isin(list(SHARES))]
    table = pd.DataFrame({"train": usable["course_split"] == "train", "own": usable["source"] == "people"})
    table = table.groupby(usable["person"]).agg(
        own=("own", "any"), train=("train", "sum"), count=("own", "size")
    )
    table = table[(table["train"] >= 2) & (table["count"] > table["train"])]
    chosen = sorted(table.sort_values(["own", "count"], ascending=False, kind="stable").index[:people])
    usable = usable[usable["person"].isin(chosen)].sort_values(
        "sha256"
    )  # a chance order, the same everywhere
    sides = (
        usable[usable["course_split"] == side].groupby("person").head(max(1, round(share * photos)))
        for side, share in SHARES.items()
    )
    found = pd.concat(sides).sort_index()
    return found.assign(label=found["person"].map({name: i for i, name in enumerate(chosen)}))


def augment(crop: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return a plausible other photo of the same face, (size, size, 3) uint8: mirrored, shifted, lit, blurred."""
    picture = Image.fromarray(crop)
    size = picture.width
    if chance.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = chance.uniform(0.9, 1.1)
    dx, dy = chance.uniform(-0.05, 0.05, 2) * size
    matrix = (1 / scale, 0, size / 2 * (1 - 1 / scale) + dx, 0, 1 / scale, size / 2 * (1 - 1 / scale) + dy)
    picture = picture.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    picture = ImageEnhance.Brightness(picture).enhance(chance.uniform(0.7, 1.3))
    picture = ImageEnhance.Contrast(picture).enhance(chance.uniform(0.7, 1.3))
    picture = ImageEnhance.Color(picture).enhance(chance.uniform(0.5, 1.3))
    if chance.random() < 0.3:  # a face from far away
        small = int(size * chance.uniform(0.3, 0.6))
        picture = picture.resize((small, small), Image.Resampling.BILINEAR).resize((size, size))
    return np.asarray(picture)


def augmented(crops: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return an augmented copy of each crop, (n, size, size, 3) uint8."""
    chance = np.random.default_rng(seed)
    return np.stack([augment(crop, chance) for crop in crops])


# ---- the network in two parts --------------------------------------------------------------------------


class Trunk(nn.Module):
    """Everything before the last block, or another part `end`: (n, 3, 160, 160) -> (n, 1792, 3, 3). It stays frozen."""

    def __init__(self, network: nn.Module, end: str = TRAINED[0]):
        super().__init__()
        parts = itertools.takewhile(lambda part: part[0] != end, fold(network).named_children())
        self.layers = nn.Sequential(*(module for _, module in parts))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        return self.layers(pixels)


class Tail(nn.Module):
    """A copy of the last block, the bottleneck and its batch norm: (n, 1792, 3, 3) -> (n, d) unit rows."""

    def __init__(self, network: nn.Module):
        super().__init__()
        for name in TRAINED:
            setattr(self, name, copy.deepcopy(getattr(network, name)))
        # Batch norm keeps its running averages, which thousands of people's photos have set.
        self.eval()

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the embeddings."""
        pooled = self.block8(features.float()).mean((2, 3))
        return functional.normalize(self.last_bn(self.last_linear(pooled)))

    @torch.inference_mode()
    def embed(self, features: torch.Tensor) -> np.ndarray:
        """Return the embeddings of feature maps on the CPU: (n, d) float32, unit rows."""
        device = next(self.parameters()).device
        return torch.cat([self(part.to(device)).cpu() for part in features.split(256)]).numpy()


class LastBlock(nn.Module):
    """A tail with a head on it, as one module that a `Trainer` trains: feature maps -> logits."""

    def __init__(self, tail: Tail, head: nn.Module):
        super().__init__()
        self.tail, self.head = tail, head

    def forward(self, features: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits (n, people) of feature maps (n, 1792, 3, 3)."""
        return self.head(self.tail(features), labels)

    def groups(self, learning_rate: float) -> list[dict]:
        """Return parameter groups: the tail at `learning_rate`, the head at thirty times that, as it starts from less."""
        head = [p for p in self.head.parameters() if p.requires_grad]
        return [
            {"params": list(self.tail.parameters()), "lr": learning_rate, "weight_decay": 1e-4},
            {"params": head, "lr": 30 * learning_rate, "weight_decay": 1e-4},
        ]


def with_tail(network: nn.Module, tail: Tail) -> nn.Module:
    """Return a copy of the network with a trained tail in it, ready for `save_backbone`."""
    tuned = copy.deepcopy(network)
    for name in TRAINED:
        getattr(tuned, name).load_state_dict(getattr(tail, name).state_dict())
    return tuned


@torch.inference_mode()
def features_before_last_block(
    network: nn.Module, crops: np.ndarray, how: str, progress: str = ""
) -> torch.Tensor:
    """Run the frozen part once over all crops, so that training the rest need not.

    Feature maps are kept in data/cache/: pictures that passed this network before do not pass it again.

    Parameters
    ----------
    network : InceptionResnetV1
    crops : ndarray of shape (n, 160, 160, 3), uint8
    how : str
        The network's pixel normalisation, see `lambda_function.crops.normalise`.
    progress : str
        What a bar is called; "" for none.

    Returns
    -------
    Tensor of shape (n, 1792, 3, 3), float16
        Half the memory; the rounding is far below what training changes.
    """
    device = choose_device()
    trunk = Trunk(network).to(device, memory_format=torch.channels_last)
    digest = hashlib.sha256(
        how.encode()
    )  # the network's name is in its numbers, as the reader may have tuned it
    for tensor in trunk.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy())
    store = ContentCache(f"features-{device.type}-{digest.hexdigest()[:12]}")
    keys = [hashlib.sha256(np.ascontiguousarray(crop)).hexdigest() for crop in crops]
    values = []
    with tqdm(desc=progress, total=len(keys), unit="face", disable=not progress) as bar:
        for part in batches(len(keys), 32):

            def compute(missing: list[int], part=part) -> Iterator[bytes]:
                batch = torch.from_numpy(normalise(crops[[part[i] for i in missing]], how))
                with mixed_precision(device):
                    maps = trunk(batch.to(device, memory_format=torch.channels_last))
                maps = maps.to("cpu", torch.float16, memory_format=torch.contiguous_format)
                return (own.tobytes() for own in maps.numpy())

            values += cached(store, [keys[i] for i in part], compute)
            bar.update(len(part))
    return torch.from_numpy(np.frombuffer(bytearray().join(values), np.float16)).reshape(len(crops), *MAPS)


# ---- what it brings ------------------------------------------------------------------------------------


def tuning_scores(
    clean: np.ndarray,
    hard: np.ndarray,
    photos: pd.DataFrame,
    held_back: np.ndarray,
    vectors: np.ndarray | None = None,
    fmr: float = 0.01,
) -> pd.DataFrame:
    """Measure embeddings of photos as they are, `clean` (n, d), and made hard, `hard` (n, d): one row per person.

    `photos` is from `tuning_photos`; `held_back` are labels of people who were not trained on. Those who were are named
    on their photos outside "train", against a gallery of everybody's clean training photos, or `vectors` (trained, d)
    of a head for those who were trained on. Those held back are compared in pairs with each other: a hard photo and
    another clean one, or two clean ones, accepted above the score that `fmr` of these pairs of two people exceed.

    Columns: label; seen (whether trained on); hard and clean, shares of photos named or of pairs accepted, 0 to 1.
    """
    labels, seen = photos["label"].to_numpy(), ~photos["label"].isin(held_back).to_numpy()
    training, people = (photos["course_split"] == "train").to_numpy(), int(labels.max()) + 1
    gallery = centroids(clean[training], labels[training], people)
    if vectors is not None:
        gallery[np.setdiff1d(np.arange(people), held_back)] = vectors
    rows, probes = [], np.flatnonzero(seen & ~training)
    named = [(own[probes] @ gallery.T).argmax(1) == labels[probes] for own in (hard, clean)]
    for label in np.unique(labels[probes]):
        own = labels[probes] == label
        rows.append((label, True, *(part[own].mean() for part in named)))
    others = np.flatnonzero(~seen)
    same, apart = labels[others][:, None] == labels[others], ~np.eye(len(others), dtype=bool)
    if same.all():  # nobody to be taken for: fewer than two people are held back
        return pd.DataFrame(rows, columns=["label", "seen", "hard", "clean"])
    accepted = []
    for own in (hard, clean):
        scores = own[others] @ clean[others].T
        accepted.append(scores > np.quantile(scores[~same], 1 - fmr))
    for label in np.unique(labels[others]):
        pairs = same & apart & (labels[others] == label)
        rows.append((label, False, *(part[pairs].mean() for part in accepted)))
    return pd.DataFrame(rows, columns=["label", "seen", "hard", "clean"])


def compare_tuning(scores: pd.DataFrame, baseline: str = "frozen", draws: int = 2000) -> pd.DataFrame:
    """Put what was tuned beside the frozen network: means in percent, and paired differences with 95 % intervals.

    `scores` are rows of `tuning_scores` with the columns "how" and "seed". Each person's value is first averaged over
    the seeds; then people, not photos, are resampled, the same ones for both sides of a difference.
    """
    order = list(dict.fromkeys(scores["how"]))
    values = scores.groupby(["how", "seen", "label"])[["hard", "clean"]].mean()
    columns = {}
    groups = {True: "trained on, named", False: "held back, accepted"}
    for seen in sorted(scores["seen"].unique(), reverse=True):
        for photos in ("hard", "clean"):
            wide = values[photos].xs(seen, level="seen").unstack("how")[order]
            less = 100 * wide.sub(wide[baseline], axis=0)
            means = drawn_anew(len(less), draws) @ less.to_numpy() / len(less)
            low, high = np.quantile(means, (0.025, 0.975), axis=0)
            shown = [f"{100 * wide[how].mean():.1f}" for how in order]
            for i, how in enumerate(order):
                if how != baseline:
                    shown[i] += f"  {less[how].mean():+.1f} [{low[i]:+.1f}, {high[i]:+.1f}]"
            columns[f"{photos}: {groups[seen]} (%), {len(wide)} people"] = shown
    return pd.DataFrame(columns, index=pd.Index(order, name=""))
