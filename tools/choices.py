"""`python -m tools.choices`, after `make run PROFILE=lfw`: crops and views compared on LFW's View 1.

View 1 is there to choose by: 3,200 pairs, fewer by the vault's people. TAR at FMR 0.01 is compared with that of the default
pair by pair.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from facecourse.core.sources import fetch
from facecourse.embedding.backbones import default_backbone, find_backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.metrics.uncertainty import mcnemar, share_of
from facecourse.metrics.verification import similarities, view_one
from facecourse.photos.dataset import load_manifest
from lambda_function.crops import Preprocessing, alternate_crop

FMR = 0.01


def settings(name: str) -> dict[str, tuple[Preprocessing, int]]:
    """Return what is compared: preprocessing and views by name, the default first."""
    own = find_backbone(name).preprocessing
    other = alternate_crop(own)
    return {
        "default, 4 views": (own, 4),
        "default, 2 views": (own, 2),
        "default, 1 view": (own, 1),
        "the other crop, 2 views": (other, 2),
        "the other crop, 1 view": (other, 1),
        **{f"margin {margin}, 1 view": (replace(own, margin=margin), 1) for margin in (0, 8, 24, 32)},
    }


def main() -> None:
    """Print the table."""
    manifest, name = load_manifest("lfw"), default_backbone("lfw")
    pairs = view_one(manifest, [fetch(f"pairsDev{part}.txt") for part in ("Train", "Test")])
    if pairs is None:
        raise SystemExit("View 1 needs all of LFW: make run PROFILE=lfw")
    used = np.unique(np.append(pairs.left, pairs.right))
    person, accepted, rows = manifest["person"].to_numpy(), {}, {}
    for label, (preprocessing, views) in settings(name).items():
        backbone = replace(find_backbone(name, views), preprocessing=preprocessing)
        part = embed_manifest(manifest.iloc[used], backbone)
        embeddings = np.full((len(manifest), part.shape[1]), np.nan, np.float32)
        embeddings[used] = part
        scores = similarities(embeddings, pairs)
        different = np.sort(scores[~pairs.same & np.isfinite(scores)])[::-1]
        accepted[label] = scores[pairs.same] > different[int(FMR * len(different))]
        first = next(iter(accepted.values()))
        rows[label] = {
            "TAR at FMR 0.01": str(share_of(accepted[label], person[pairs.left[pairs.same]])),
            "only the default": int((first & ~accepted[label]).sum()),
            "only this": int((accepted[label] & ~first).sum()),
            "p": round(mcnemar(first, accepted[label]), 4),
        }
    print(f"{len(pairs.same)} pairs, {pairs.same.sum()} of one person")
    print(pd.DataFrame(rows).T.to_string())


if __name__ == "__main__":
    main()
