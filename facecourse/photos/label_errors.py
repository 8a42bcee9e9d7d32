"""Names that are wrong in LFW itself: found where the recogniser was most sure of another name, then looked at by eye."""

import pandas as pd

from facecourse.core.paths import DATA


def known_errors() -> pd.DataFrame:
    """Return data/lfw_label_errors.csv.

    Returns
    -------
    DataFrame
        kind, name, other. "wrong_name": the photo `name` shows the person `other`. "two_names": the people
        `name` and `other` are one person, or some photo of one of them shows the other.
    """
    return pd.read_csv(DATA / "lfw_label_errors.csv")


def wrongly_named(table: pd.DataFrame) -> pd.Series:
    """Say who is on photos that LFW gives to somebody else.

    Parameters
    ----------
    table : DataFrame
        path, source.

    Returns
    -------
    Series of str
        The right name in the rows that have a wrong one, "" in all others.
    """
    errors = known_errors()
    right = errors[errors.kind == "wrong_name"].set_index("name").other
    stems = table.path.str.extract(r"([^/]+)\.[^.]+$")[0]
    return stems.where(table.source == "lfw").map(right).fillna("")


def doubled_people(persons: pd.Series) -> dict[str, str]:
    """Return those of LFW's people who are there under another name too, with that name, if both are here."""
    errors, here = known_errors(), set(persons)
    pairs = errors[errors.kind == "two_names"][["name", "other"]].to_numpy().tolist()
    found = [pair for pair in pairs if set(pair) <= here]
    return {one: other for a, b in found for one, other in ((a, b), (b, a))}
