"""Beyond the head: training the network's last block, at a small rate, on augmented photos."""

import copy
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance
from torch import nn
from torch.nn import functional

from facecourse.core.cache import ContentCache, batches, cached
from facecourse.embedding.embeddings import load_crops
from facecourse.embedding.export import fold
from facecourse.heads.training import choose_device, mixed_precision
from lambda_function.crops import Preprocessing

TRAINED = ("block8", "last_linear", "last_bn")
MAPS = (1792, 3, 3)  # channels, height, width of what the frozen part hands on


# ---- a part of the dataset -----------------------------------------------------------------------------


@dataclass(frozen=True)
class SmallTask:
    """A part of the dataset on which passing photos through the network takes seconds, not hours.

    Attributes
    ----------
    crops : dict of str to ndarray (n, size, size, 3) uint8
        By side: "train", "val", "test".
    labels : dict of str to ndarray (n,) int64
    names : list of str
        Of each label.
    """

    crops: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    names: list[str]


def load_small_task(
    manifest: pd.DataFrame, preprocessing: Preprocessing, people: int = 60, photos: int = 20
) -> SmallTask:
    """Cut out the faces of at most so many people, and of at most so many photos of each.

    The reader's own people come first, then those with the most photos.
    """
    usable = manifest[manifest["course_split"].isin(["train", "val", "test"])]
    own = usable.groupby("person")["source"].agg(lambda sources: "people" in set(sources))
    count = usable.groupby("person").size()
    order = pd.DataFrame({"own": own, "count": count}).sort_values(["own", "count"], ascending=False)
    table = usable[usable["person"].isin(order.index[:people])]
    table = table.sort_values("sha256")  # a chance order that is the same everywhere
    table = table.groupby("person").head(photos).sort_index()
    names = sorted(set(table.loc[table["course_split"] == "train", "person"]))
    number = {name: i for i, name in enumerate(names)}
    table = table[table["person"].isin(names)]
    sides = {side: table[table["course_split"] == side] for side in ("train", "val", "test")}
    return SmallTask(
        {side: load_crops(rows, preprocessing) for side, rows in sides.items()},
        {side: rows["person"].map(number).to_numpy(np.int64, copy=True) for side, rows in sides.items()},
        names,
    )


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


def augmented_views(
    crops: np.ndarray, labels: np.ndarray, views: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return all crops and, `views` - 1 times, an augmented copy of each: (n views, size, size, 3), and their labels."""
    chance = np.random.default_rng(seed)
    extra = [np.stack([augment(crop, chance) for crop in crops]) for _ in range(views - 1)]
    return np.concatenate([crops, *extra]), np.tile(labels, views)


# ---- the network in two parts --------------------------------------------------------------------------


class Trunk(nn.Module):
    """Everything before the last block: (n, 3, 160, 160) -> (n, 1792, 3, 3). It stays as it is."""

    def __init__(self, network: nn.Module):
        super().__init__()
        parts = itertools.takewhile(lambda part: part[0] != TRAINED[0], fold(network).named_children())
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

    def tuned_network(self, network: nn.Module) -> nn.Module:
        """Return a copy of the network with the trained tail in it, ready for `save_backbone`."""
        tuned = copy.deepcopy(network)
        for name in TRAINED:
            getattr(tuned, name).load_state_dict(getattr(self.tail, name).state_dict())
        return tuned


@torch.inference_mode()
def features_before_last_block(network: nn.Module, pixels: np.ndarray) -> torch.Tensor:
    """Run the frozen part once over all photos, so that training the rest need not.

    Feature maps are kept in data/cache/: pictures that passed this network before do not pass it again.

    Parameters
    ----------
    network : InceptionResnetV1
    pixels : ndarray of shape (n, 3, 160, 160), float32
        Normalised as the network wants it.

    Returns
    -------
    Tensor of shape (n, 1792, 3, 3), float16
        Half the memory; the rounding is far below what training changes.
    """
    device = choose_device()
    trunk = Trunk(network).to(device, memory_format=torch.channels_last)
    digest = hashlib.sha256()  # the network's name is in its numbers, as the reader may have tuned it
    for tensor in trunk.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy())
    store = ContentCache(f"features-{device.type}-{digest.hexdigest()[:12]}")
    keys = [hashlib.sha256(np.ascontiguousarray(picture)).hexdigest() for picture in pixels]
    values = []
    for part in batches(len(keys), 32):

        def compute(missing: list[int], part=part) -> Iterator[bytes]:
            batch = torch.from_numpy(pixels[[part[i] for i in missing]])
            with mixed_precision(device):
                maps = trunk(batch.to(device, memory_format=torch.channels_last))
            maps = maps.to("cpu", torch.float16, memory_format=torch.contiguous_format)
            return (own.tobytes() for own in maps.numpy())

        values += cached(store, [keys[i] for i in part], compute)
    return torch.from_numpy(np.frombuffer(bytearray().join(values), np.float16)).reshape(len(pixels), *MAPS)
