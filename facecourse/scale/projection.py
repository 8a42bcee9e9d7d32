"""From measured seconds to time and cost of a larger job, by a model small enough to disagree with."""

from dataclasses import dataclass

import pandas as pd

DATASETS = {"LFW": 13_233, "VGGFace2": 3_300_000, "100 M photos": 100_000_000}
WORKERS = (1, 16, 256)


@dataclass(frozen=True)
class Measured:
    """What was measured on this machine."""

    seconds_per_photo: float  # of one worker with one thread, detection to embedding
    scaling: float  # throughput of two workers over twice that of one, 0 to 1
    start_up: float  # seconds from the call to the first photo
    listing: float  # photos per second that the driver can list and cut into shards
    megabytes_per_photo: float


@dataclass(frozen=True)
class Assumed:
    """What was not measured: change it to your cloud."""

    dollars_per_hour: float = 0.05  # of one worker: a core with 2 GB of memory
    reads_per_second: float = 5_500  # of one prefix of a bucket: GET requests that S3 documents
    megabytes_per_second: float = 50  # network of one worker
    shards_per_second: float = 20  # tasks that one driver can start
    photos_per_shard: int = 500


def project(
    measured: Measured, assumed: Assumed | None = None, datasets=DATASETS, workers=WORKERS
) -> pd.DataFrame:
    """Estimate time, cost and bottleneck for every dataset (number of photos by name) and number of workers.

    Reading, computing, listing and starting tasks overlap, so the slowest of them is the time; start-up comes on top.
    The loss measured from one worker to two is taken once, not per doubling: workers share no state. The columns are
    dataset, photos, workers, hours, dollars, bottleneck and its share of the time, 0 to 1.
    """
    assumed, rows = assumed or Assumed(), []
    for name, photos in datasets.items():
        for count in workers:
            scaling = measured.scaling if count > 1 else 1.0
            seconds = {
                "computing": photos * measured.seconds_per_photo / (count * scaling),
                "network": photos * measured.megabytes_per_photo / (count * assumed.megabytes_per_second),
                "bucket": photos / assumed.reads_per_second,
                "listing": photos / measured.listing,
                "starting tasks": photos / assumed.photos_per_shard / assumed.shards_per_second,
            }
            total = measured.start_up + max(seconds.values())
            seconds["start-up"] = measured.start_up
            slowest = max(seconds, key=seconds.get)
            dollars = count * total / 3600 * assumed.dollars_per_hour
            rows.append((name, photos, count, total / 3600, dollars, slowest, seconds[slowest] / total))
    columns = ["dataset", "photos", "workers", "hours", "dollars", "bottleneck", "share"]
    return pd.DataFrame(rows, columns=columns)
