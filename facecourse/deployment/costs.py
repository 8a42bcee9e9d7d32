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
    "CloudWatch, GB logged": 0.50,
    "traffic out, GB": 0.09,
}
LOG_BYTES = 400  # per photo: the function's own line and Lambda's report
ANSWER_BYTES = 2_000


def cost_table(
    seconds: float, stored_bytes: int, memory_mb: int = 1769, photos_per_month: int = 1000
) -> pd.DataFrame:
    """Work out a month's cost in US dollars, the free tier left out.

    `seconds` is what the function takes for one photo; `stored_bytes` are model and code in S3; `memory_mb` is the
    function's MemorySize, of which Lambda counts 1024 to a GB. The table has dollars per month with that many
    photos, and per 1,000 photos; its last row has the sums.
    """
    per_photo = {
        "Lambda: computing": seconds * memory_mb / 1024 * PRICES["Lambda, GB and second"],
        "Lambda: requests": PRICES["Lambda, request"],
        "CloudWatch: logs": LOG_BYTES / 1e9 * PRICES["CloudWatch, GB logged"],
        "traffic: answers": ANSWER_BYTES / 1e9 * PRICES["traffic out, GB"],
    }
    rows = {"S3: model and code": (stored_bytes / 1e9 * PRICES["S3, GB and month"], 0.0)}
    rows |= {item: (photos_per_month * price, 1000 * price) for item, price in per_photo.items()}
    columns = ["$ per month", "$ per 1,000 photos"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("item")
    table.loc["together"] = table.sum()
    return table


def show_plan(bucket: str, costs: pd.DataFrame, authorisation: str = "AWS_IAM") -> pd.DataFrame:
    """Print the costs and the yes that AWS needs, and return what would be created.

    `costs` is from `cost_table`; `authorisation`, who may call the function, is "AWS_IAM" or "NONE".
    """
    month, thousand = costs.loc["together"]
    keeping = costs.loc["S3: model and code", "$ per month"]
    print(f"${month:.3f} a month at the volume above, of it ${keeping:.3f} for keeping the files")
    print(f"${thousand:.4f} per 1,000 photos; nothing while nobody asks, but for the files")
    print(f'To create this in AWS, set AGREED = "{YES}" in the parameters cell; empty: a local cloud')
    public = authorisation == "NONE"
    resources = yaml_parse(TEMPLATE.read_text())["Resources"]
    made = {"Bucket": "AWS::S3::Bucket"}
    made |= {n: r["Type"] for n, r in resources.items() if public or r.get("Condition") != "IsPublic"}
    made["Url"] = "AWS::Lambda::Url"
    purpose = {
        "Bucket": f"{bucket}: code and model; private, encrypted, versioned",
        "Log": "one line per request, for 14 days",
        "Role": "may read this one model and write this one log",
        "Function": "answers requests",
        "Url": f"its address; {'for everyone who knows it' if public else 'signed requests only'}",
        "PublicUrl": "lets everyone use the address",
        "PublicInvoke": "lets everyone call the function by it",
    }
    table = pd.DataFrame({"type": made, "for": {name: purpose.get(name, "") for name in made}})
    return table.rename_axis("created")
