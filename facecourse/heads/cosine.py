"""Heads on frozen embeddings: cosine classifiers, trained in seconds as no photo passes the network again."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from facecourse.embedding.photo_sets import PhotoSet, centroids, hold_out
from facecourse.heads.training import Trainer, fit

MARGINS = {"softmax": 0.0, "cosface": 0.2, "arcface": 0.3}


class CosineHead(nn.Module):
    """One unit vector w_j per person; the score of person j is the cosine of the angle to w_j.

    Parameters
    ----------
    vectors : ndarray of shape (people, d)
        Where training starts: the centroids.
    kind : str
        "softmax", cross-entropy of s cos(t_j), with the scale s learned (Wang et al., 2017, NormFace,
        arXiv:1704.06369); "cosface", with s (cos(t_y) - m) for the right person y (Wang et al., 2018,
        arXiv:1801.09414, eq. 4); "arcface", with s cos(t_y + m) (Deng et al., 2019, arXiv:1801.07698, eq. 3).
    scale : float
        s, the inverse of the softmax's temperature.
    margin : float, optional
        m; for arcface in radians.
    """

    def __init__(
        self, vectors: np.ndarray, kind: str = "softmax", scale: float = 30.0, margin: float | None = None
    ):
        super().__init__()
        if kind not in MARGINS:
            raise ValueError(f"kind must be one of {', '.join(MARGINS)}, not {kind!r}")
        self.kind = kind
        self.margin = MARGINS[kind] if margin is None else margin
        self.weight = nn.Parameter(torch.tensor(vectors, dtype=torch.float32))
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=kind == "softmax")

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return the logits (n, people); the margin applies only where the right labels are given."""
        cosine = functional.linear(embeddings, functional.normalize(self.weight)).float()
        if labels is not None and self.margin:
            right = cosine.gather(1, labels[:, None])
            cosine = cosine.scatter(1, labels[:, None], self._with_margin(right))
        return self.log_scale.exp() * cosine

    def _with_margin(self, cosine: torch.Tensor) -> torch.Tensor:
        if self.kind == "cosface":
            return cosine - self.margin
        angle = torch.acos(cosine.clamp(-1 + 1e-6, 1 - 1e-6))
        # Beyond pi the cosine would rise again. As in ArcFace's own code, a line that keeps falling takes over there.
        beyond = cosine - self.margin * math.sin(self.margin)
        return torch.where(angle + self.margin < math.pi, torch.cos(angle + self.margin), beyond)

    def vectors(self) -> np.ndarray:
        """Return the unit vectors (people, d), float32: all that recognition needs of the head."""
        return functional.normalize(self.weight.detach()).cpu().numpy()


def fitted_losses(cosines: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Return each photo's cross-entropy in nats, (n,), at the scale that makes their mean smallest, and that scale.

    It is at most 200: where every photo is right the loss falls for ever. `cosines` is (n, people). Heads are trained at
    different scales, so their losses can be compared only after this.
    """
    from scipy.optimize import minimize_scalar

    rows, right = cosines.astype(np.float64), np.arange(len(labels))

    def losses(log_scale: float) -> np.ndarray:
        logits = math.exp(log_scale) * rows
        return np.logaddexp.reduce(logits, axis=1) - logits[right, labels]

    found = minimize_scalar(lambda x: losses(x).mean(), bounds=(0, math.log(200)), method="bounded")
    return losses(found.x), math.exp(found.x)


@dataclass(frozen=True)
class Selection:
    """The head that did best on a slice of the training photos, trained again on all of them.

    Attributes
    ----------
    kind : str
        "nearest centroid", "softmax", "cosface" or "arcface".
    epochs : int
        How many were best on the slice; 0 for the centroids.
    vectors : ndarray of shape (people, d), float32, unit rows
    table : DataFrame
        One row per kind: top-1 on the slice; loss in nats and the scale at which it is smallest; less, the mean by
        which each photo's loss is below that with the centroids, and the standard error of that mean; epochs.
    """

    kind: str
    epochs: int
    vectors: np.ndarray
    table: pd.DataFrame


def select_head(
    train: PhotoSet, learning_rate: float = 0.003, epochs: int = 20, seed: int = 0, kinds=tuple(MARGINS)
) -> Selection:
    """Choose kind and epochs on one held-out photo per person, then train on everything.

    Nothing but `train` is looked at, so every other photo can still serve as a fair test. The lowest loss decides, each
    head's at its best scale: on a slice of a few hundred photos top-1 moves in steps of a photo, so its best is luck.
    A head that is not better than the centroids by two standard errors of the paired difference counts as a tie, and
    then the centroids win, which need no training.
    """
    held_out = hold_out(train.labels, at_least=3, seed=seed)
    inner, slice_ = train.take(~held_out), train.take(held_out)
    start = centroids(inner.embeddings, inner.labels, len(train.names))

    def trainer_of(kind: str, photos: PhotoSet, val: PhotoSet) -> Trainer:
        head = CosineHead(centroids(photos.embeddings, photos.labels, len(train.names)), kind)
        sides = ((side.embeddings, side.labels) for side in (photos, val))
        return Trainer(head, *sides, learning_rate, epochs, seed=seed)

    vectors, counts = {"nearest centroid": start}, {"nearest centroid": 0}
    for kind in kinds:
        trainer = fit(trainer_of(kind, inner, slice_))
        vectors[kind], counts[kind] = trainer.module.vectors(), trainer.history.best_epoch + 1
    rows, untrained = {}, None
    for kind, found in vectors.items():
        cosines = slice_.embeddings @ found.T
        losses, scale = fitted_losses(cosines, slice_.labels)
        untrained = losses if untrained is None else untrained
        less = untrained - losses
        rows[kind] = {
            "top-1 on the slice": (cosines.argmax(1) == slice_.labels).mean(),
            "loss": losses.mean(),
            "scale": scale,
            "less": less.mean(),
            "standard error": less.std(ddof=1) / math.sqrt(len(less)) if len(less) > 1 else math.nan,
            "epochs": counts[kind],
        }
    table = pd.DataFrame(rows).T.astype({"epochs": int})
    better = table[table["less"] > 2 * table["standard error"]]
    kind = str(better["loss"].idxmin()) if len(better) else "nearest centroid"
    if not counts[kind]:
        return Selection(kind, 0, centroids(train.embeddings, train.labels, len(train.names)), table)
    final = trainer_of(kind, train, train.take(slice(0)))
    for _ in range(counts[kind]):
        final.train_epoch()
    return Selection(kind, counts[kind], final.module.vectors(), table)
