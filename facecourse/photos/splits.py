"""Who is trained on, who is tested on, and who stays a stranger."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

# Share of a source's people who are strangers. Nobody but the reader's people, and LFW's, is ever enrolled.
STRANGERS = {"lfw": 0.2, "others": 1.0}
VAULT = 10  # one in so many of LFW's people is kept for tools/vault.py, and for nothing else
SALT = "vault 2"  # raised when the vault has been read and something is chosen after that: then it is another tenth


def seed_split(persons: Sequence[str], sums: Sequence[str], usable: Sequence[bool]) -> list[str]:
    """Split as the original project did: 30 % of each identity's photos, rounded down, into "val", the rest into
    "train".

    Unusable photos get "". The photos' SHA-256, `sums`, decides: as good as chance, and the same on every machine.
    """
    split = [""] * len(persons)
    for rows in _by_key(persons, usable).values():
        rows = sorted(rows, key=lambda i: (sums[i], i))
        in_val = 3 * len(rows) // 10
        for place, i in enumerate(rows):
            split[i] = "val" if place < in_val else "train"
    return split


def course_split(
    persons: Sequence[str],
    sums: Sequence[str],
    groups: Sequence[int],
    sources: Sequence[str],
    usable: Sequence[bool],
    doubled: Collection[str] = (),
) -> list[str]:
    """Split into train, val and test per person, and keep whole identities as strangers.

    Near duplicates (the same `groups` number) always land on the same side; a group that spans several
    people is trained on. Of a person's groups a fifth each goes into val and test, at least one each from
    four groups on; with three, the third is for val or test; with fewer, all are trained on: whoever is tested
    has two photos to be known by. Where not all of a source's people are strangers, those are chosen who have few
    photos, so that the people with many stay for training; nobody who also has own photos becomes one, nor anybody
    who is there under a second name.

    Returned is "train", "val", "test", "unknown_val", "unknown_test", "vault" or "" for photos that are not usable.
    STRANGERS says which `sources` give strangers; the vault holds people by whom nothing is chosen and no notebook's
    figure is counted, see `in_vault`; `doubled` are people who are known to be there under another name too.
    """
    split = [""] * len(persons)
    shared = _shared_groups(persons, groups, usable)
    strangers = choose_strangers(persons, groups, sources, usable, doubled)
    for person, rows in _by_key(persons, usable).items():
        for i in rows:
            split[i] = strangers.get(person, "train")
        if person in strangers:
            continue
        own = defaultdict(list)
        for i in rows:
            if groups[i] not in shared:
                own[groups[i]].append(i)
        ordered = sorted(own.values(), key=lambda members: min(sums[i] for i in members))
        trained_already = len(own) < len({groups[i] for i in rows})
        for part, members in zip(_parts(len(ordered), trained_already, person), ordered, strict=True):
            for i in members:
                split[i] = part
    return split


def _parts(count: int, trained_already: bool, person: str) -> list[str]:
    """Which side each of a person's groups goes to."""
    if count + trained_already < 3:
        return ["train"] * count
    if count + trained_already == 3:
        return [("val", "test")[_stable_hash(person) % 2]] + ["train"] * (count - 1)
    each = max(1, count // 5)
    return ["val"] * each + ["test"] * each + ["train"] * (count - 2 * each)


def choose_strangers(
    persons: Sequence[str],
    groups: Sequence[int],
    sources: Sequence[str],
    usable: Sequence[bool],
    doubled: Collection[str] = (),
) -> dict[str, str]:
    """Pick the people who are never trained on: name to "unknown_val" or "unknown_test", about half each, "vault" or ""."""
    shared = _shared_groups(persons, groups, usable)
    of, linked = defaultdict(set), set()
    for person, group, source in zip(persons, groups, sources, strict=True):
        of[person].add(source)
        if group in shared:
            linked.add(person)
    counts = {person: len(rows) for person, rows in _by_key(persons, usable).items()}
    strangers = {p: "vault" for p in counts if of[p] == {"lfw"} and in_vault(p) and p not in linked}
    for source, share in STRANGERS.items():
        people = [p for p in counts if of[p] == {source} and p not in strangers]
        few = np.quantile([counts[p] for p in people] or [0], 0.75 if share < 1 else 1)
        candidates = [p for p in people if counts[p] <= few and p not in linked and p not in doubled]
        chosen = sorted(candidates, key=_stable_hash)[: round(share * len(people))]
        if share == 1:  # nobody of them is enrolled, even with somebody else's photo
            strangers.update(dict.fromkeys(people, ""))
        strangers.update({p: ("unknown_val", "unknown_test")[k % 2] for k, p in enumerate(chosen)})
    return strangers


def in_vault(person: str) -> bool:
    """Return whether one of LFW's people is in the vault: always the same tenth, by another hash than the strangers'."""
    return _stable_hash(f"{SALT} {person}") % VAULT == 0


def _shared_groups(persons: Sequence[str], groups: Sequence[int], usable: Sequence[bool]) -> set[int]:
    """Return the groups with photos of more than one person."""
    people = defaultdict(set)
    for person, group, good in zip(persons, groups, usable, strict=True):
        if good:
            people[group].add(person)
    return {group for group, names in people.items() if len(names) > 1}


def _by_key(keys: Sequence[str], usable: Sequence[bool]) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for i, (key, good) in enumerate(zip(keys, usable, strict=True)):
        if good:
            rows[key].append(i)
    return rows


def _stable_hash(name: str) -> int:
    """Return a number that looks random and is the same for a name in every run and on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def find_leaks(manifest: pd.DataFrame) -> pd.DataFrame:
    """Count photos, copies and people of a manifest that stand on two sides of a split.

    One row per split, with the columns "same photo" and "near duplicate" (pairs), and "stranger among the known".
    """
    rows = {}
    for column in ("seed_split", "course_split"):
        used = manifest[manifest[column] != ""]
        pairs = used[["group", "sha256", column]].merge(used[["group", "sha256", column]], on="group")
        apart = pairs[pairs[f"{column}_x"] < pairs[f"{column}_y"]]
        same = int((apart.sha256_x == apart.sha256_y).sum())
        unknown = used[column].str.startswith("unknown")
        strangers = set(used.person[unknown]) & set(used.person[~unknown])
        rows[column] = {
            "same photo": same,
            "near duplicate": len(apart) - same,
            "stranger among the known": len(strangers),
        }
    return pd.DataFrame(rows).T
