"""Beyond the head: training the network's last block, at a small rate, on augmented photos."""

import copy
import hashlib
import math
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageEnhance
from torch import nn
from torch.nn import functional

from facecourse.core.cache import ContentCache
from facecourse.embedding.embeddings import load_crops
from facecourse.embedding.export import fold
from facecourse.embedding.photo_sets import centroids
from facecourse.heads.training import (
    CosineHead,
    History,
    batches,
    choose_device,
    measure,
    mixed_precision,
)
from lambda_function.crops import Preprocessing, normalise

# ---- pictures ------------------------------------------------------------------------------------------


def small_task(manifest: pd.DataFrame, people: int = 60, photos: int = 20) -> pd.DataFrame:
    """Choose a part of the dataset on which passing photos through the network takes seconds, not hours.

    Parameters
    ----------
    manifest : DataFrame
        With course_split.
    people, photos : int
        At most so many people, the reader's own first and then those with the most photos, and at most so
        many photos of each.

    Returns
    -------
    DataFrame
        Rows of the manifest, with their old index, of the sides train, val and test.
    """
    usable = manifest[manifest["course_split"].isin(["train", "val", "test"])]
    own = usable.groupby("person")["source"].agg(lambda sources: "people" in set(sources))
    count = usable.groupby("person").size()
    order = pd.DataFrame({"own": own, "count": count}).sort_values(["own", "count"], ascending=False)
    chosen = usable[usable["person"].isin(order.index[:people])]
    shuffled = chosen.sort_values("sha256")  # a chance order that is the same everywhere
    return shuffled.groupby("person").head(photos).sort_index()


def augment(crop: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return a plausible other photo of the same face: mirrored, shifted, lit and focused differently.

    Parameters
    ----------
    crop : ndarray of shape (size, size, 3), uint8
    chance : Generator

    Returns
    -------
    ndarray of the same shape and type
    """
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


# ---- the network in two parts --------------------------------------------------------------------------


class Trunk(nn.Module):
    """Everything before the last block: (n, 3, 160, 160) -> (n, 1792, 3, 3). It stays as it is."""

    def __init__(self, network: nn.Module):
        super().__init__()
        folded = fold(network)
        names = "conv2d_1a conv2d_2a conv2d_2b maxpool_3a conv2d_3b conv2d_4a conv2d_4b"
        names += " repeat_1 mixed_6a repeat_2 mixed_7a repeat_3"
        self.layers = nn.Sequential(*(getattr(folded, name) for name in names.split()))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        return self.layers(pixels)


class Tail(nn.Module):
    """The last block, the bottleneck and its batch norm: (n, 1792, 3, 3) -> (n, d) unit rows."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.block8 = copy.deepcopy(network.block8)
        self.last_linear = copy.deepcopy(network.last_linear)
        self.last_bn = copy.deepcopy(network.last_bn)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return the embeddings."""
        pooled = self.block8(features).mean((2, 3))
        return functional.normalize(self.last_bn(self.last_linear(pooled)))


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
    cache = ContentCache(f"features-{device.type}-{_fingerprint(trunk)}")
    keys = [hashlib.sha256(np.ascontiguousarray(picture)).hexdigest() for picture in pixels]
    known = cache.get_many(keys)
    todo = [i for i, key in enumerate(keys) if key not in known]
    for start in range(0, len(todo), 32):
        part = todo[start : start + 32]
        batch = torch.from_numpy(pixels[part]).to(device, memory_format=torch.channels_last)
        with mixed_precision(device):
            maps = trunk(batch).to("cpu", torch.float16, memory_format=torch.contiguous_format).numpy()
        found = {keys[i]: own.tobytes() for i, own in zip(part, maps, strict=True)}
        cache.put_many(found)
        known |= found
    whole = np.frombuffer(bytearray().join(known[key] for key in keys), np.float16)
    return torch.from_numpy(whole).reshape(len(pixels), 1792, 3, 3)


def _fingerprint(trunk: Trunk) -> str:
    """Name a network by its numbers, as the reader may have tuned it."""
    digest = hashlib.sha256()
    for tensor in trunk.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy())
    return digest.hexdigest()[:12]


class BlockTrainer:
    """Trains the last block together with a head, on cached feature maps.

    Parameters
    ----------
    network : InceptionResnetV1
        Its last block is copied; the network itself stays as it is.
    head : CosineHead
        Starts at the centroids of the frozen network's embeddings.
    train, val : (Tensor (n, 1792, 3, 3), ndarray (n,))
        Feature maps and labels.
    learning_rate : float
        Of the block; the head's is thirty times as high, since it starts from less.
    epochs, batch_size, seed : int
    """

    def __init__(self, network, head, train, val, learning_rate=1e-4, epochs=10, batch_size=64, seed=0):
        self.device = choose_device()
        # Evaluation mode: batch norm keeps its running averages, which thousands of people's photos have set.
        self.tail = Tail(network).to(self.device).eval()
        self.head = head.to(self.device)
        self.train = tuple(torch.as_tensor(part) for part in train)
        self.val = tuple(torch.as_tensor(part) for part in val)
        self.epochs, self.batch_size = epochs, batch_size
        self.generator = torch.Generator().manual_seed(seed)
        groups = [
            {"params": self.tail.parameters(), "lr": learning_rate},
            {"params": [p for p in head.parameters() if p.requires_grad], "lr": 30 * learning_rate},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=1e-4)
        steps = epochs * math.ceil(len(train[1]) / batch_size)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, max(steps, 1))
        self.history = History()
        self._best = self._state()

    def _state(self):
        return copy.deepcopy((self.tail.state_dict(), self.head.state_dict()))

    def train_epoch(self) -> None:
        """Go once through all views of the training photos."""
        start, losses, right = time.perf_counter(), 0.0, 0
        for features, labels in batches(*self.train, self.batch_size, self.generator):
            features, labels = features.to(self.device).float(), labels.to(self.device)
            with mixed_precision(self.device):
                logits = self.head(self.tail(features), labels)
                loss = functional.cross_entropy(logits, labels)
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            self.schedule.step()
            losses += float(loss.detach()) * len(labels)
            right += int((logits.detach().argmax(1) == labels).sum())
        self.history.train_loss.append(losses / len(self.train[1]))
        self.history.train_accuracy.append(right / len(self.train[1]))
        self.history.learning_rate.append(self.schedule.get_last_lr()[0])
        self.history.seconds.append(time.perf_counter() - start)

    def validate(self) -> None:
        """Measure block and head on photos that are not trained on; remember the best."""
        embeddings = torch.from_numpy(self.embed(self.val[0])).to(self.device)
        loss, accuracy = measure(self.head, (embeddings, self.val[1].to(self.device)))
        self.history.val_loss.append(loss)
        self.history.val_accuracy.append(accuracy)
        if self.history.best_epoch == len(self.history.val_loss) - 1:
            self._best = self._state()

    def restore_best(self) -> None:
        """Put block and head back to their best epoch."""
        self.tail.load_state_dict(self._best[0])
        self.head.load_state_dict(self._best[1])

    @torch.inference_mode()
    def embed(self, features: torch.Tensor) -> np.ndarray:
        """Return the embeddings of feature maps: (n, d) float32, unit rows."""
        rows = [
            self.tail(features[start : start + 256].to(self.device).float()).float().cpu()
            for start in range(0, len(features), 256)
        ]
        return torch.cat(rows).numpy()

    def tuned_network(self, network: nn.Module) -> nn.Module:
        """Return a copy of the network with the trained block in it, ready for `save_backbone`."""
        tuned = copy.deepcopy(network)
        for name in ("block8", "last_linear", "last_bn"):
            getattr(tuned, name).load_state_dict(getattr(self.tail, name).cpu().state_dict())
        return tuned


# ---- a part of the dataset -----------------------------------------------------------------------------


@dataclass(frozen=True)
class SmallTask:
    """Crops and labels of `small_task`, by side.

    Attributes
    ----------
    crops : dict of str to ndarray (n, 160, 160, 3) uint8
    labels : dict of str to ndarray (n,) int64
    names : list of str
    """

    crops: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    names: list[str]


def load_small_task(
    manifest: pd.DataFrame, preprocessing: Preprocessing, people: int, photos: int
) -> SmallTask:
    """Cut out the faces of a small task and number its people.

    Parameters
    ----------
    manifest : DataFrame
    preprocessing : Preprocessing
        What the network was trained on.
    people : int
        How many people, at most.
    photos : int
        How many photos of each, at most.
    """
    table = small_task(manifest, people, photos)
    names = sorted(set(table.loc[table["course_split"] == "train", "person"]))
    number = {name: i for i, name in enumerate(names)}
    table = table[table["person"].isin(names)]
    sides = {side: table[table["course_split"] == side] for side in ("train", "val", "test")}
    return SmallTask(
        {side: load_crops(rows, preprocessing) for side, rows in sides.items()},
        {side: rows["person"].map(number).to_numpy(np.int64, copy=True) for side, rows in sides.items()},
        names,
    )


def augmented_views(crops: np.ndarray, labels: np.ndarray, views: int = 4, seed: int = 0):
    """Return each crop and `views` - 1 augmented ones: (n views, 160, 160, 3) uint8, with their labels.

    Parameters
    ----------
    crops : ndarray of shape (n, 160, 160, 3), uint8
    labels : ndarray of shape (n,), int64
    views : int
        How many of each crop, itself included.
    seed : int
    """
    chance = np.random.default_rng(seed)
    extra = [np.stack([augment(crop, chance) for crop in crops]) for _ in range(views - 1)]
    return np.concatenate([crops, *extra]), np.tile(labels, views)


def frozen_head(
    network: nn.Module, features: torch.Tensor, labels: np.ndarray, names: list[str]
) -> CosineHead:
    """Return a CosFace head at the centroids of the untrained network's embeddings.

    Parameters
    ----------
    network : InceptionResnetV1
    features : Tensor
        What comes before the last block, see `features_before_last_block`.
    labels : ndarray of shape (n,), int64
    names : list of str
        Name of each label.
    """
    tail = Tail(network)
    with torch.inference_mode():
        embeddings = torch.cat([tail(features[i : i + 256].float()) for i in range(0, len(features), 256)])
    return CosineHead(centroids(embeddings.numpy(), labels, len(names)), "cosface")


def pixels_for(crops: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Normalise crops as the backbone wants them: (n, 3, 160, 160) float32.

    Parameters
    ----------
    crops : ndarray of shape (n, 160, 160, 3), uint8
    preprocessing : Preprocessing
    """
    return normalise(crops, preprocessing.normalise)


def task_top1(block: BlockTrainer, features: torch.Tensor, labels: np.ndarray) -> float:
    """Return the share of photos that block and head name rightly, 0 to 1.

    Parameters
    ----------
    block : BlockTrainer
    features : Tensor
        From `features_before_last_block`.
    labels : ndarray of shape (n,), int64
    """
    embeddings = torch.from_numpy(block.embed(features)).to(block.device)
    return measure(block.head, (embeddings, torch.as_tensor(labels).to(block.device)))[1]
