"""Detector with recogniser, ours and the peers', on the same photos in the same run: speed, memory, size."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from tqdm import tqdm

from facecourse.core.paths import DATA, ROOT
from tests.benchmarks.peers import SYSTEMS

SPEED_PHOTOS, ROUNDS, CORES = 50, 5, (1, 2)
BESIDE = "ours, 8 bits, 1 view"  # what each peer is compared with


def rows() -> list[dict]:
    """Return the rows of `make bench`: each peer's photos per second beside ours."""
    costs = measure_costs()
    return [
        {
            "name": f"{BESIDE}, beside {name}, {cores} core{'s'[: cores - 1]}",
            "ours": costs[BESIDE]["speed"][place],
            "reference": cost["speed"][place],
            "ratio": costs[BESIDE]["speed"][place] / cost["speed"][place],
            "unit": "photos/s",
        }
        for name, cost in costs.items()
        if not name.startswith("ours")
        for place, cores in enumerate(CORES)
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
            "speed": [median(turn["speed"] for turn in found[name, cores]) for cores in CORES],
            "memory": median(turn["memory"] for turn in alone),
            "megabytes": [sum(p.stat().st_size for p in part) / 1e6 for part in (weights, files - weights)],
        }
    return costs
