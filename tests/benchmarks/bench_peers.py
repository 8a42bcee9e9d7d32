"""Detector with recogniser, ours and the peers', on the same photos in the same run: speed, memory, size, accuracy.

Accuracy only with PEERS=accuracy, which writes the tables of the README too: it takes hours, and goes on where it
stopped.
"""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from tqdm import tqdm

from facecourse.core import sources
from facecourse.core.cache import ContentCache, batches, cached
from facecourse.core.paths import DATA, ROOT, THREADS
from facecourse.detection.detector import BATCH, detect_photos
from facecourse.embedding.backbones import EIGHT_BITS
from facecourse.embedding.photo_sets import PhotoSet, centroids
from facecourse.metrics.impostors import AllPairs, compare_all
from facecourse.metrics.open_set import open_set, rates_with_intervals
from facecourse.metrics.verification import (
    Pairs,
    pairs_among,
    read_pairs,
    similarities,
    tar_at_fmr,
    tar_interval,
    ten_folds,
)
from facecourse.run.course import machine
from lambda_function.pipeline import unit
from tests.benchmarks.peers import SYSTEMS, Ours
from tests.conftest import mirror
from tools import figures

SPEED_PHOTOS, ROUNDS, CORES = 50, 5, (1, 2)
BESIDE = "ours, 8 bits, 1 view"  # what each peer is compared with
ENROLLED_WITH = 5  # photos of each of people.zip's ten
FPIR = 0.01


def rows() -> list[dict]:
    """Return the rows of `make bench`: each peer's photos per second beside ours."""
    costs = measure_costs()
    if os.environ.get("PEERS") == "accuracy":
        if mirror() and (mirror() / "people.zip").exists():
            report(costs)
        else:
            print("peers: no accuracy, since FACECOURSE_MIRROR has no LFW and people.zip")
    return [
        {
            "name": f"{BESIDE}, beside {name}, {cores} core{'s'[: cores - 1]}",
            "ours": costs[BESIDE][f"speed_{cores}"],
            "reference": cost[f"speed_{cores}"],
            "ratio": costs[BESIDE][f"speed_{cores}"] / cost[f"speed_{cores}"],
            "unit": "photos/s",
        }
        for name, cost in costs.items()
        if not name.startswith("ours")
        for cores in CORES
    ]


def measure_costs() -> dict[str, dict]:
    """Return by system: photos per second on one and on two cores, peak memory on one, MB of weights and of packages.

    Every figure is of a process of its own. Systems take turns, so that a busy moment hits all alike; medians.
    """
    photos = sorted(map(str, (DATA / "others").glob("*/*.jpg")))
    photos = photos[:: len(photos) // SPEED_PHOTOS][:SPEED_PHOTOS]
    installed = {name: entry.files() for name, entry in SYSTEMS.items()}
    for name in [name for name, files in installed.items() if files is None]:
        print(f"peers: {name} is left out: pyproject.toml has its packages in the extra `bench`")
        del installed[name]
    turns = [(name, cores) for name in installed for cores in CORES]
    found = {turn: [] for turn in turns}
    for name, cores in tqdm(turns * ROUNDS, desc="peers", unit="turn"):
        command = [sys.executable, "-m", "tests.benchmarks.peers", name, str(cores), *photos]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found[name, cores].append(json.loads(done.stdout.splitlines()[-1]))
    costs = {}
    for name, files in installed.items():
        alone = found[name, 1]
        weights = {Path(path).resolve() for path in alone[0]["weights"]}
        costs[name] = {
            "computes": alone[0]["computes"],
            **{f"speed_{n}": median(turn["speed"] for turn in found[name, n]) for n in CORES},
            "memory": median(turn["memory"] for turn in alone),
            "weights": sum(path.stat().st_size for path in weights) / 1e6,
            "packages": sum(path.stat().st_size for path in files - weights) / 1e6,
        }
    return costs


@dataclass(frozen=True)
class Photos:
    """Photos to compare: the bytes of their files by name, Person/anything."""

    files: dict[str, bytes]

    @property
    def persons(self) -> np.ndarray:
        """Whom each shows, (n,) str."""
        return np.array([name.split("/")[0] for name in self.files])


def photo_sets() -> dict[str, Photos]:
    """Return the photos of LFW, those of the mirror's people.zip, and the five celebrities'."""
    with zipfile.ZipFile(mirror() / "people.zip") as archive:
        people = {name: archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".jpg")}
    found = {"LFW": {}, "people": people, "celebrities": {}}
    for label, folder in (("LFW", sources.lfw_photos()), ("celebrities", sources.celebrity_photos())):
        for path in sorted(folder.glob("*/*")):
            found[label][f"{path.parent.name}/{path.name}"] = path.read_bytes()
    return {label: Photos(files) for label, files in found.items()}


def embed(family: str, photos: Photos) -> np.ndarray:
    """Return the views of each photo's face by the family's largest system: (n, views, d) float32, 0 without a face.

    What has been computed stays in data/cache/. Our systems share one detection.
    """
    entry = max((entry for entry in SYSTEMS.values() if entry.family == family), key=lambda one: one.views)
    system, files = entry.make(THREADS), list(photos.files.values())
    sums = [hashlib.sha256(file).hexdigest() for file in files]
    found = detect_photos(files, sums) if isinstance(system, Ours) else None

    def compute(part, todo):
        for i in todo:
            known = {"faces": found[sums[part[i]]]} if found else {}
            views = system.views(files[part[i]], **known)
            yield b"" if views is None else views.astype("<f4").tobytes()

    store, values = ContentCache(f"peers-1-{system.name}"), []
    for part in tqdm(batches(len(sums), BATCH), desc=system.name, unit="batch"):
        values += cached(store, [sums[i] for i in part], partial(compute, part))
    length = max(map(len, values))
    views = np.frombuffer(b"".join(value or bytes(length) for value in values), "<f4")
    return views.reshape(len(values), entry.views, -1)


def report(costs: dict[str, dict]) -> None:
    """Measure the accuracy of the systems in `costs`, and put both into docs/figures.json and the README.

    What was found on another machine about speed stays there beside it.
    """
    sets, views, systems = photo_sets(), {}, {}
    place = {Path(name).stem: i for i, name in enumerate(sets["LFW"].files)}
    fold, left, right, same = zip(*read_pairs(sources.lfw_pairs()), strict=True)
    rows = ([place[name] for name in side] for side in (left, right))
    pairs = Pairs(*map(np.array, (*rows, same, fold)))
    for name, cost in costs.items():
        entry = SYSTEMS[name]
        if entry.family not in views:
            views[entry.family] = {label: embed(entry.family, photos) for label, photos in sets.items()}
        vectors = {label: unit(rows[:, : entry.views].sum(1)) for label, rows in views[entry.family].items()}
        systems[name] = accuracy(vectors, sets, pairs)
        if cost["computes"].endswith(EIGHT_BITS):
            systems[name]["celebrities_1e-3"] = None  # its ranges were measured on them
    counts = {label: [len(photos.files), len(set(photos.persons))] for label, photos in sets.items()}
    here = {machine(): {"date": date.today().isoformat(), "systems": costs}}
    before = figures.known().get("peers", {}).get("costs", {})
    figures.put("peers", {"costs": before | here, "photos": counts, "pairs": len(fold), "accuracy": systems})


def accuracy(vectors: dict[str, np.ndarray], sets: dict[str, Photos], pairs: Pairs) -> dict:
    """Return a system's accuracy by figure, most with their interval over people.

    `vectors` (n, d) are unit rows; those of photos without a face are 0, so that they match nobody.
    """
    lfw, people = vectors["LFW"], vectors["people"]
    folds = ten_folds(similarities(lfw, pairs), pairs)
    everyone = compare_all(lfw, sets["LFW"].persons)
    found = {
        "no_face": int((~lfw.any(1)).sum()),
        "folds": [folds.mean, folds.standard_error],
        "lfw_1e-3": _tar(everyone, 1e-3),
        "lfw_1e-4": _tar(everyone, 1e-4),
    }
    for label in ("people", "celebrities"):
        persons = sets[label].persons
        among = pairs_among(np.arange(len(persons)), persons)
        scores = similarities(vectors[label], among)
        interval = tar_interval(scores, among, persons)
        found[f"{label}_1e-3"] = [tar_at_fmr(scores, among.same), *interval]
    names, labels = np.unique(sets["people"].persons, return_inverse=True)
    probe = (pd.Series(labels).groupby(labels).cumcount() >= ENROLLED_WITH).to_numpy()
    gallery = centroids(people[~probe], labels[~probe], len(names))
    persons, first = np.unique(sets["LFW"].persons, return_index=True)
    others = ~np.isin(persons, names)
    strangers = PhotoSet(lfw[first[others]], np.full(others.sum(), -1), first[others], list(names))
    known = PhotoSet(people[probe], labels[probe], np.flatnonzero(probe), list(names))
    scores = open_set(gallery, known, strangers)
    share = rates_with_intervals(scores, labels[probe], persons[others], scores.threshold_at(FPIR))["FNIR"]
    return found | {"fnir": [share.value, share.low, share.high]}


def _tar(pairs: AllPairs, fmr: float) -> list[float]:
    value, *drawn = 1 - pairs.fnmr_at([fmr])[:, 0]
    return [float(value), *np.quantile(drawn, [0.025, 0.975]).tolist()]
