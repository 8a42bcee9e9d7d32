"""Which learning rate? Raise it with every batch, and watch."""

import copy

import numpy as np
import torch
from torch.nn import functional

from facecourse.heads.training import CosineHead, batches, choose_device, measure, on_device


def learning_rate_range(
    head: CosineHead,
    photos: tuple[np.ndarray, np.ndarray],
    watched: tuple[np.ndarray, np.ndarray],
    lowest=1e-5,
    highest=1.0,
    steps=60,
    batch_size=256,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Raise the learning rate with every batch and watch the loss (Smith, 2017, arXiv:1506.01186).

    The loss is that of photos which are not trained on: a head that starts at the centroids knows its training
    photos already, so their loss falls at rates that ruin everything else. The head itself is left as it is.

    Parameters
    ----------
    head : CosineHead
    photos, watched : (ndarray (n, d), ndarray (n,))
        Trained on, and watched (at most 1,000 of them).
    lowest, highest : float
        First and last learning rate.
    steps : int
        How many rates, evenly on a logarithmic scale.
    batch_size : int

    Returns
    -------
    (ndarray (k,), ndarray (k,), float)
        Learning rates, losses in nats up to where they exceed twice the first one, and a suggestion: a third
        of the rate with the lowest loss.
    """
    head = copy.deepcopy(head).to(device := choose_device())
    data, generator = on_device(device, photos), torch.Generator().manual_seed(0)
    few = np.random.default_rng(0).permutation(len(watched[1]))[:1000]
    asked = on_device(device, (watched[0][few], watched[1][few]))
    optimiser = torch.optim.Adam([p for p in head.parameters() if p.requires_grad], lr=lowest)
    rates, losses = np.geomspace(lowest, highest, steps), []
    stream = (batch for _ in range(steps) for batch in batches(*data, batch_size, generator))
    for rate, (embeddings, labels) in zip(rates, stream, strict=False):
        optimiser.param_groups[0]["lr"] = float(rate)
        loss = functional.cross_entropy(head(embeddings, labels), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(measure(head, asked)[0])
        if losses[-1] > 2 * losses[0] + 1:
            break
    return rates[: len(losses)], np.array(losses), float(rates[int(np.argmin(losses))] / 3)
