"""What a deployment would make and cost, before anything is made."""

import pandas as pd

from facecourse.deployment.cloud import YES
from facecourse.deployment.stack import resources_of

# US dollars in us-east-1, without the free tier, as published in 2026: https://aws.amazon.com/lambda/pricing/,
# https://aws.amazon.com/s3/pricing/, https://aws.amazon.com/cloudwatch/pricing/
PRICES = {
    "Lambda, GB and second": 0.0000166667,
    "Lambda, request": 0.20 / 1e6,
    "S3, GB and month": 0.023,
    "S3, upload": 0.005 / 1e3,
    "CloudWatch, GB logged": 0.50,
    "traffic out, GB": 0.09,
}
LOG_BYTES = 400  # per photo: the function's own line and Lambda's report
ANSWER_BYTES = 2_000


def cost_table(
    seconds: float, stored_bytes: int, memory_mb: int = 1769, photos_per_month: int = 1000
) -> pd.DataFrame:
    """Work out a month's cost in US dollars, the free tier left out.

    Parameters
    ----------
    seconds : float
        That the function takes for one photo; Lambda bills to the millisecond.
    stored_bytes : int
        Model and code in S3.
    memory_mb : int
        MemorySize of the function; 1 GB is 1024 MB here, as Lambda counts.
    photos_per_month : int

    Returns
    -------
    DataFrame
        By item: dollars per month with that many photos, and per 1,000 photos; with a last row of sums.
    """
    per_photo = {
        "Lambda: computing": seconds * memory_mb / 1024 * PRICES["Lambda, GB and second"],
        "Lambda: requests": PRICES["Lambda, request"],
        "CloudWatch: logs": LOG_BYTES / 1e9 * PRICES["CloudWatch, GB logged"],
        "traffic: answers": ANSWER_BYTES / 1e9 * PRICES["traffic out, GB"],
    }
    standing = {"S3: model and code": stored_bytes / 1e9 * PRICES["S3, GB and month"]}
    table = pd.DataFrame(
        {
            "$ per month": {**standing, **{k: v * photos_per_month for k, v in per_photo.items()}},
            "$ per 1,000 photos": {
                **dict.fromkeys(standing, 0.0),
                **{k: v * 1e3 for k, v in per_photo.items()},
            },
        }
    ).rename_axis("item")
    table.loc["together"] = table.sum()
    return table


def show_plan(bucket: str, costs: pd.DataFrame) -> pd.DataFrame:
    """Print the costs and the yes that AWS needs, and return what would be created.

    Parameters
    ----------
    bucket : str
        Its name.
    costs : DataFrame
    """
    month, thousand = costs.loc["together"]
    print(
        f"${month:.3f} a month at the volume above, of it ${costs['$ per month'].iloc[0]:.3f} for keeping the files"
    )
    print(f"${thousand:.4f} per 1,000 photos; nothing while nobody asks, but for the files")
    print(f'To create this in AWS, set AGREED = "{YES}" in the parameters cell; empty: a local cloud')
    made = {
        "bucket": "AWS::S3::Bucket",
        **{k.lower(): v for k, v in resources_of().items()},
        "url": "AWS::Lambda::Url",
    }
    why = {
        "bucket": f"{bucket}: code and model; private, encrypted, versioned",
        "log": "one line per request, for 14 days",
        "role": "may read this one model and write this one log",
        "function": "answers requests",
        "url": "its address; signed requests only",
        "publicurl": 'only with AUTHORISATION = "NONE"',
        "publicinvoke": 'only with AUTHORISATION = "NONE"',
    }
    return pd.DataFrame({"type": made, "for": {name: why.get(name, "") for name in made}}).rename_axis(
        "created"
    )
