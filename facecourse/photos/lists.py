"""Lists that others made about LFW's people: who is in MS-Celeb-1M too, and who was perceived as a woman or a man."""

import pandas as pd

from facecourse.core.sources import fetch

OVERLAP = "msceleb1m_lfw_mapping_probability.txt"
SAME = 0.5  # its authors' cosine from which on a class of MS-Celeb-1M is taken for the same person
PERCEIVED = {"male": "lfw_perceived_male.txt", "female": "lfw_perceived_female.txt"}


def in_training_data() -> set[str]:
    """Return those of LFW's people whom a public list finds among MS-Celeb-1M's, where msceleb1m was trained.

    It compares embeddings, so it misses people: a lower bound. Raises SourceError if it cannot be fetched.
    """
    lines = fetch(OVERLAP).read_text(encoding="utf-8").splitlines()
    return {name for _, name, cosine in (line.split() for line in lines if line) if float(cosine) >= SAME}


def perceived_groups(manifest: pd.DataFrame) -> pd.Series:
    """Return "female" or "male" for LFW's photos as third parties perceived them, "" for all other rows.

    Raises SourceError if the lists cannot be fetched.
    """
    group = {
        name: kind for kind, file in PERCEIVED.items() for name in fetch(file).read_text("utf-8").split()
    }
    names = manifest["path"].str.extract(r"([^/]+)$")[0]
    return names.where(manifest["source"] == "lfw").map(group).fillna("")
