"""The estimate of the cost, worked out by hand, and the plan."""

import pytest

from facecourse.deployment.costs import cost_table, show_plan


def test_a_thousand_photos_of_a_tenth_of_a_second():
    table = cost_table(0.1, stored_bytes=100_000_000, memory_mb=1024, photos_per_month=2000)
    thousand = table["$ per 1,000 photos"]
    assert thousand["Lambda: computing"] == pytest.approx(0.00166667)  # 100 GB-seconds
    assert thousand["Lambda: requests"] == pytest.approx(0.0002)
    assert thousand["S3: model and code"] == 0
    month = table["$ per month"]
    assert month["S3: model and code"] == pytest.approx(0.0023)
    assert month["Lambda: computing"] == pytest.approx(2 * 0.00166667)
    assert month["together"] == pytest.approx(month.drop("together").sum())


def test_the_plan_has_everything_that_is_made_and_the_sentence(capsys):
    plan = show_plan("bucket-name", cost_table(0.1, 10**8))
    assert plan["type"].to_dict() == {
        "Bucket": "AWS::S3::Bucket",
        "Log": "AWS::Logs::LogGroup",
        "Role": "AWS::IAM::Role",
        "Function": "AWS::Serverless::Function",
        "Url": "AWS::Lambda::Url",
    }
    assert (plan["for"] != "").all() and "signed requests only" in plan.loc["Url", "for"]
    assert "yes, create this in my AWS account" in capsys.readouterr().out
    public = show_plan("bucket-name", cost_table(0.1, 10**8), "NONE")
    assert "everyone" in public.loc["Url", "for"] and not public["for"].str.contains("signed").any()
