"""How little time MTCNN could take: the arithmetic of its networks, and what this processor does per second."""

import time

import numpy as np
import pandas as pd

from facecourse.lessons.stages import Trace

# Multiplications with an addition per answer of each convolution: inputs x outputs x window.
_PNET = (3 * 10 * 9, 10 * 16 * 9, 16 * 32 * 9 + 32 * 6)
_RNET = 22**2 * 3 * 28 * 9 + 9**2 * 28 * 48 * 9 + 3**2 * 48 * 64 * 4 + 576 * 128 + 128 * 6
_ONET = (
    46**2 * 3 * 32 * 9
    + 21**2 * 32 * 64 * 9
    + 8**2 * 64 * 64 * 9
    + 3**2 * 64 * 128 * 4
    + 1152 * 256
    + 256 * 16
)


def pnet_operations(height: int, width: int) -> int:
    """Return P-Net's multiply-adds on one level of the pyramid."""
    pooled = [-(-(side - 2) // 2) for side in (height, width)]
    answers = [(height - 2) * (width - 2), *(np.prod([side - cut for side in pooled]) for cut in (2, 4))]
    return int(sum(count * each for count, each in zip(answers, _PNET, strict=True)))


def operations(steps: Trace) -> dict[str, int]:
    """Return the multiply-adds that one photo asks of each network, counted from the layers' shapes.

    Parameters
    ----------
    steps : Trace
        From `trace`.
    """
    return {
        "P-Net": sum(pnet_operations(*level.size) for level in steps.maps),
        "R-Net": len(steps.proposals) * _RNET,
        "O-Net": len(steps.refined) * _ONET,
    }


def multiply_adds_per_second(side: int = 768, rounds: int = 15) -> float:
    """Return how many a core does at its best: the fastest of some float32 matrix products on one thread."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        matrix, best = torch.rand(side, side), np.inf
        for _ in range(rounds):
            begin = time.perf_counter()
            matrix @ matrix
            best = min(best, time.perf_counter() - begin)
    finally:
        torch.set_num_threads(threads)
    return side**3 / best


def floor_table(steps: Trace) -> pd.DataFrame:
    """Compare one photo's time with the time that its arithmetic alone would take.

    Parameters
    ----------
    steps : Trace
        From `trace`, which runs on one thread.

    Returns
    -------
    DataFrame
        network, million (multiply-adds), floor and taken (milliseconds), share (of the time, 0 to 1).
    """
    speed = multiply_adds_per_second()
    rows = []
    for name, count in operations(steps).items():
        floor = count / speed * 1000
        rows.append((name, count / 1e6, floor, steps.milliseconds[name]))
    rows.append(("suppression", 0.0, 0.0, steps.milliseconds["suppression"]))
    table = pd.DataFrame(rows, columns=["step", "million", "floor", "taken"])
    table.loc[len(table)] = ["all", *table[["million", "floor", "taken"]].sum()]
    return table.assign(share=table["floor"] / table["taken"])
