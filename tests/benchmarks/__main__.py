"""`make bench`: each subject's figures beside their reference, measured in turn in one process run."""

import importlib
import json
import pkgutil
import sys

from facecourse.core.paths import OUTPUTS
from tests import benchmarks


def collect() -> list[dict]:
    """Return the rows {name, ours, reference, ratio, unit} of every bench_*.py beside this file."""
    rows = []
    for module in sorted(
        name for _, name, _ in pkgutil.iter_modules(benchmarks.__path__) if name.startswith("bench_")
    ):
        print(f"{module} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"tests.benchmarks.{module}").rows()
    return rows


def main() -> None:
    """Print the table and write outputs/bench.json."""
    rows = collect()
    print(f"{'name':58s} {'ours':>11s} {'reference':>11s} {'ratio':>7s}  unit")
    for row in rows:
        cells = (_cell(row[key]) for key in ("ours", "reference", "ratio"))
        print("{:58s} {:>11s} {:>11s} {:>7s}  {}".format(row["name"], *cells, row["unit"]))
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    (OUTPUTS / "bench.json").write_text(json.dumps(rows, indent=2) + "\n")


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()
