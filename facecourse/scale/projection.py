"""From measured seconds to time and cost of a larger job, by a model small enough to disagree with."""

from dataclasses import dataclass

import pandas as pd

DATASETS = {"LFW": 13_233, "VGGFace2": 3_300_000, "100 M photos": 100_000_000}
WORKERS = (1, 16, 256)


@dataclass(frozen=True)
class Measured:
    """What was measured on this machine.

    Attributes
    ----------
    seconds_per_photo : float
        Of one worker with one thread, detection to embedding.
    scaling : float
        Throughput of two workers over twice that of one, 0 to 1.
    start_up : float
        Seconds from the call to the first photo.
    listing : float
        Photos per second that the driver can list and cut into shards.
    megabytes_per_photo : float
    """

    seconds_per_photo: float
    scaling: float
    start_up: float
    listing: float
    megabytes_per_photo: float


@dataclass(frozen=True)
class Assumed:
    """What was not measured: change it to your cloud.

    Attributes
    ----------
    dollars_per_hour : float
        Of one worker: a core with 2 GB of memory.
    reads_per_second : float
        Photos that one prefix of a bucket delivers: S3 documents 5,500 GET requests per second.
    megabytes_per_second : float
        Network of one worker.
    shards_per_second : float
        Tasks that one driver can start.
    photos_per_shard : int
    """

    dollars_per_hour: float = 0.05
    reads_per_second: float = 5_500
    megabytes_per_second: float = 50
    shards_per_second: float = 20
    photos_per_shard: int = 500


def project(
    measured: Measured, assumed: Assumed | None = None, datasets=None, workers=WORKERS
) -> pd.DataFrame:
    """Estimate time, cost and bottleneck for every number of photos and of workers.

    Reading, computing, listing and starting tasks overlap, so the slowest of them is the time; start-up comes on top. The
    loss measured from one worker to two is taken once, not per doubling: workers share no state.

    Parameters
    ----------
    measured : Measured
    assumed : Assumed, optional
    datasets : dict of str to int, optional
        Number of photos by name.
    workers : tuple of int

    Returns
    -------
    DataFrame
        dataset, photos, workers, hours, dollars, bottleneck and its share of the time, 0 to 1.
    """
    assumed = assumed or Assumed()
    rows = []
    for name, photos in (datasets or DATASETS).items():
        for count in workers:
            seconds = _seconds(measured, assumed, photos, count)
            slowest = max(seconds, key=seconds.get)
            total = measured.start_up + seconds[slowest]
            if measured.start_up > seconds[slowest]:
                slowest, seconds["start-up"] = "start-up", measured.start_up
            dollars = count * total / 3600 * assumed.dollars_per_hour
            rows.append((name, photos, count, total / 3600, dollars, slowest, seconds[slowest] / total))
    columns = ["dataset", "photos", "workers", "hours", "dollars", "bottleneck", "share"]
    return pd.DataFrame(rows, columns=columns)


def _seconds(measured: Measured, assumed: Assumed, photos: int, workers: int) -> dict[str, float]:
    scaling = measured.scaling if workers > 1 else 1.0
    return {
        "computing": photos * measured.seconds_per_photo / (workers * scaling),
        "network": photos * measured.megabytes_per_photo / (workers * assumed.megabytes_per_second),
        "bucket": photos / assumed.reads_per_second,
        "listing": photos / measured.listing,
        "starting tasks": photos / assumed.photos_per_shard / assumed.shards_per_second,
    }
