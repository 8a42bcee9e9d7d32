"""The estimate of the cost, worked out by hand, and the plan."""

import pytest

from facecourse.deployment.costs import cost_table, monthly_ceiling, show_plan


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


def test_a_start_costs_too_and_how_many_requests_meet_one_counts():
    cold = cost_table(0.1, 0, 1024, 1000, cold_seconds=3.0, cold_share=0.5)["$ per 1,000 photos"]
    assert cold["Lambda: starting"] == pytest.approx(1000 * 0.5 * 3.0 * 0.0000166667)
    assert cost_table(0.1, 0)["$ per month"]["Lambda: starting"] == 0


def test_the_ceiling_is_every_copy_busy_all_month():
    # 5 copies of 1.7275 GB for 2,592,000 seconds, and what 50 requests a second bring with them.
    requests, gb = 50 * 2_592_000, 1 / 1e9
    computing = 5 * 1.7275 * 2_592_000 * 0.0000166667
    rest = requests * (0.6e-6 + 30_000 * gb * 0.09 + 1_100 * gb * 0.5)
    assert monthly_ceiling() == pytest.approx(computing + rest, rel=0.01) and computing > 370
    assert monthly_ceiling(copies=1) == pytest.approx(monthly_ceiling() / 5)


def test_the_plan_has_everything_that_is_made_and_the_sentence(capsys):
    plan = show_plan("bucket-name", cost_table(0.1, 10**8))
    assert plan["type"].to_dict() == {
        "Bucket": "AWS::S3::Bucket",
        "Log": "AWS::Logs::LogGroup",
        "Role": "AWS::IAM::Role",
        "Function": "AWS::Serverless::Function",
        "Callers": "AWS::IAM::ManagedPolicy",
        "Url": "AWS::Lambda::Url",
    }
    assert (plan["for"] != "").all() and "signed requests only" in plan.loc["Url", "for"]
    printed = capsys.readouterr().out
    assert "yes, create this in my AWS account" in printed and "at most $" in printed
    assert "with 5 copies (Concurrency=-1 has no such bound)" in printed
    public = show_plan("bucket-name", cost_table(0.1, 10**8), "NONE")
    assert "everyone" in public.loc["Url", "for"] and not public["for"].str.contains("signed").any()
