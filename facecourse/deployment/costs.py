"""What a deployment would make and cost, before anything is made."""

import pandas as pd
from samtranslator.yaml_helper import yaml_parse

from facecourse.deployment.cloud import YES
from facecourse.deployment.package import TEMPLATE

# US dollars in us-east-1, without the free tier, as published in 2026: https://aws.amazon.com/lambda/pricing/,
# https://aws.amazon.com/s3/pricing/, https://aws.amazon.com/cloudwatch/pricing/
PRICES = {
    "Lambda, GB and second": 0.0000166667,
    "Lambda, request": 0.20 / 1e6,
    "S3, GB and month": 0.023,
    "S3, request": 0.40 / 1e6,
    "CloudWatch, GB logged": 0.50,
    "traffic out, GB": 0.09,
}
LOG_BYTES = 1_100  # per photo: the function's own line and Lambda's three, with CloudWatch's 26 for each
ANSWER_BYTES = 2_000
PAGE_BYTES = 30_000  # of page, script and style, unpacked: what a flood would ask for
URL_REQUESTS = 10  # a second, that a Function URL lets in for each reserved copy
COPIES = 5  # the template's reserved concurrency
MONTH = 30 * 24 * 3600  # seconds


def cost_table(
    seconds: float,
    stored_bytes: int,
    memory_mb: int = 1769,
    photos_per_month: int = 1000,
    cold_seconds: float = 0.0,
    cold_share: float = 1.0,
) -> pd.DataFrame:
    """Work out a month's cost in US dollars, the free tier left out.

    `seconds` is what the function takes for one photo; `stored_bytes` are model and code in S3; `memory_mb` is the
    function's MemorySize, of which Lambda counts 1024 to a GB. `cold_seconds` is what a start takes, which Lambda counts
    too, and `cold_share` how many of the requests meet one: with a thousand a month almost all. The table has dollars per
    month with that many photos, and per 1,000 photos; its last row has the sums.
    """
    second = memory_mb / 1024 * PRICES["Lambda, GB and second"]
    per_photo = {
        "Lambda: computing": seconds * second,
        "Lambda: starting": cold_share * cold_seconds * second,
        "Lambda: requests": PRICES["Lambda, request"],
        "S3: asking for people": PRICES["S3, request"],
        "CloudWatch: logs": LOG_BYTES / 1e9 * PRICES["CloudWatch, GB logged"],
        "traffic: answers": ANSWER_BYTES / 1e9 * PRICES["traffic out, GB"],
    }
    rows = {"S3: model and code": (stored_bytes / 1e9 * PRICES["S3, GB and month"], 0.0)}
    rows |= {item: (photos_per_month * price, 1000 * price) for item, price in per_photo.items()}
    columns = ["$ per month", "$ per 1,000 photos"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("item")
    table.loc["together"] = table.sum()
    return table


def monthly_ceiling(memory_mb: int = 1769, copies: int = COPIES) -> float:
    """Return what a month of nothing but requests can cost, in US dollars: all copies busy all the time, at the rate that
    a Function URL lets in, with the page as the answer."""
    requests = copies * URL_REQUESTS * MONTH
    computing = copies * memory_mb / 1024 * MONTH * PRICES["Lambda, GB and second"]
    answers = requests * PAGE_BYTES / 1e9 * PRICES["traffic out, GB"]
    logs = requests * LOG_BYTES / 1e9 * PRICES["CloudWatch, GB logged"]
    return computing + answers + logs + requests * (PRICES["Lambda, request"] + PRICES["S3, request"])


def show_plan(
    bucket: str, costs: pd.DataFrame, authorisation: str = "AWS_IAM", memory_mb: int = 1769
) -> pd.DataFrame:
    """Print the costs, the most they can be, and the yes that AWS needs, and return what would be created.

    `costs` is from `cost_table`; `authorisation`, who may call the function, is "AWS_IAM" or "NONE".
    """
    month, thousand = costs.loc["together"]
    keeping = costs.loc["S3: model and code", "$ per month"]
    print(f"${month:.3f} a month at the volume above, of it ${keeping:.3f} for keeping the files")
    print(f"${thousand:.4f} per 1,000 photos; nothing while nobody asks, but for the files")
    who = "everyone who knows the address" if authorisation == "NONE" else "whoever has a key of your account"
    bound = f"with {COPIES} copies (Concurrency=-1 has no such bound)"
    print(f"at most ${monthly_ceiling(memory_mb):,.0f} a month {bound}, if {who} does nothing but ask")
    print(f'To create this in AWS, set AGREED = "{YES}" in the parameters cell; empty: a local cloud')
    public = authorisation == "NONE"
    resources = yaml_parse(TEMPLATE.read_text())["Resources"]
    made = {"Bucket": "AWS::S3::Bucket"}
    made |= {
        n: r["Type"]
        for n, r in resources.items()
        if "Condition" not in r or (public and r["Condition"] == "IsPublic")
    }
    made["Url"] = "AWS::Lambda::Url"
    purpose = {
        "Bucket": f"{bucket}: code, model and people; private, encrypted, versioned",
        "Log": "one line per request, for 14 days",
        "Role": "may read the models, read and write these people, write this one log",
        "Function": "answers requests; every version is kept, and the alias says which",
        "Callers": "a policy for those who may call it",
        "Url": f"its address; {'for everyone who knows it' if public else 'signed requests only'}",
        "PublicUrl": "lets everyone use the address",
        "PublicInvoke": "lets everyone call the function by it",
    }
    table = pd.DataFrame({"type": made, "for": {name: purpose.get(name, "") for name in made}})
    return table.rename_axis("created")
