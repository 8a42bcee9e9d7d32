"""`python -m tools.false_matches [BACKBONE ...]`, after `make run PROFILE=lfw`: measure data/false_matches.csv anew on LFW.

Photos and people whose names are known to be wrong are left out, and the vault. It embeds LFW from 1, 2 and 4 views by each
backbone named, or by all that are in the table; the others' rows stay.
"""

import sys

import numpy as np
import pandas as pd

from facecourse.embedding.backbones import EIGHT_BITS, find_backbone
from facecourse.embedding.embeddings import embed_manifest
from facecourse.metrics.impostors import TABLE, table_of_matches
from facecourse.photos.checks import rightly_named
from facecourse.photos.dataset import load_manifest
from facecourse.photos.splits import in_vault

NAMES = ("msceleb1m" + EIGHT_BITS, "sface")  # precision makes no difference: the quicker one
LEAST = 1e-8  # what no pair out of 87 million reaches


def main(names: list[str]) -> None:
    """Write the table."""
    manifest, old = load_manifest("lfw"), pd.read_csv(TABLE)
    tables = [old[~old["backbone"].isin([name.removesuffix(EIGHT_BITS) for name in names])]]
    manifest = manifest[rightly_named(manifest) & ~manifest["person"].map(in_vault)]
    for name in names:
        for views in (1, 2, 4):
            backbone = find_backbone(name, views)
            embeddings = embed_manifest(manifest, backbone)
            found = np.isfinite(embeddings).all(1)
            table = table_of_matches(embeddings[found], manifest["person"].to_numpy()[found])
            rates = ["fmr", "fmr_alike"]
            table[rates] = table[rates].clip(lower=LEAST)
            tables.append(table.assign(backbone=backbone.name, views=views))
    columns = ["backbone", "views", "cosine", "fmr", "fmr_alike", "fnmr"]
    pd.concat(tables)[columns].to_csv(TABLE, index=False, float_format="%.3g")


if __name__ == "__main__":
    main(sys.argv[1:] or list(NAMES))
