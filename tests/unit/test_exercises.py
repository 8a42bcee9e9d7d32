"""Exercises: every solution is accepted by its check, the unanswered cell is not, and a check never raises."""

import base64
import json
import re

import numpy as np
import pytest

from facecourse.lessons.exercises import EXERCISES, check, grade
from tests.conftest import ROOT

FOUND = {}  # number -> (source of the cell, solution)
for path in sorted(ROOT.glob("notebooks/*.ipynb")):
    sources = ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]
    text = "\n\n".join(sources)
    for source in sources:
        for number, name in re.findall(r'^utils\.check\("([\d.]+)", (\w+)\)', source, re.M):
            solution = re.search(
                rf"<details><summary>Solution of {re.escape(number)}</summary>\s*```python\n(.*?)```\s*</details>",
                text,
                re.S,
            )
            FOUND[number] = (path.stem, source, solution and solution[1], name)


def run(source: str, name: str):
    space = {"np": np, "utils": type("utils", (), {"check": staticmethod(lambda *a: None)})}
    exec(source, space)
    return space[name]


def test_every_exercise_is_in_its_notebook():
    assert {number: number[0] for number in EXERCISES} == {n: place[1] for n, (place, *_) in FOUND.items()}


@pytest.mark.parametrize("number", EXERCISES)
def test_the_solution_is_right_and_the_unanswered_cell_is_open(number):
    _, source, solution, name = FOUND[number]
    assert solution, "no solution in <details>"
    assert grade(number, run(solution, name)) == ("right", "right.")
    assert grade(number, run(source, name)) == ("open", "not answered yet.")


def broken(*arguments):
    raise KeyError("mine")


WRONG = {
    "None": lambda *arguments: None,
    "text": lambda *arguments: "unknown?",
    "zero": lambda *arguments: 0.123,
    "an array": lambda *arguments: np.full((3, 3), np.nan),
    "no arguments": lambda: 1,
    "raises": broken,
    "a class": type("Odd", (), {"__init__": lambda self, *a: None, "__eq__": broken}),
}


@pytest.mark.parametrize("number", EXERCISES)
def test_wrong_answers_get_a_hint_and_nothing_is_raised(number, capsys):
    for kind, answer in WRONG.items():
        check(number, answer)
        printed = capsys.readouterr().out
        assert printed.startswith(f"{number}: "), kind
        assert ("not answered yet" if kind == "None" else "Hint: ") in printed and "right." not in printed, (
            kind
        )


def test_a_value_in_place_of_the_function_and_an_unknown_number(capsys):
    check("1.1", 3)
    check("9.9", max)
    printed = capsys.readouterr().out.splitlines()
    assert "the function itself" in printed[0] and "there is no such exercise" in printed[1]


def test_the_reader_cannot_spoil_the_check():
    def greedy(embeddings):
        embeddings[:] = 0
        return embeddings[0]

    assert grade("6.2", greedy)[0] == "wrong"
    assert grade("6.2", lambda e: e.mean(0) / np.linalg.norm(e.mean(0)))[0] == "right"


def counted_eer(same, different):
    errors = [((different >= t).sum(), (same < t).sum()) for t in np.sort(np.append(same, different))[::-1]]
    accepted, refused = min(errors, key=lambda pair: abs(pair[0] - pair[1]))
    return (accepted / len(different) + refused / len(same)) / 2


def answer_of(
    event, names_of, pack=lambda names: json.dumps(names, indent=2), decode=base64.b64decode, **more
):
    if event["requestContext"]["http"]["method"] != "POST":
        return {"statusCode": 405}
    try:
        return {"statusCode": 200, "body": pack({"names": names_of(decode(event["body"]))})} | more
    except ValueError:
        return {"statusCode": 415}


def test_an_answer_to_a_request_may_say_more_and_space_its_json_otherwise():
    assert grade("6.3", lambda *a: answer_of(*a, headers={"Content-Type": "application/json"}))[0] == "right"
    for wrong in ({"pack": dict}, {"decode": str}, {"statusCode": "200"}, {"body": "Ada Bo"}):
        grading, told = grade("6.3", lambda *a, wrong=wrong: answer_of(*a, **wrong))
        assert grading == "wrong" and "JSON as text" in told, wrong


def test_almost_right_is_told_what_is_missing():
    assert "shorter than 1" in grade("6.2", lambda e: e.mean(0))[1]
    assert "not counts" in grade("4.3", counted_eer)[1]
    assert "clip" in grade("5.3", lambda x, low, high: np.round((x - low) / (high - low) * 255))[1]
    assert "nearer to 1" in grade("5.3", lambda x, low, high: ((x - low) / (high - low) * 255).astype(int))[1]
    assert "round up" in grade("5.1", lambda b: b * 4 / 3 <= 6 * 1024 * 1024 + 3)[1]
    assert "negative" in grade("2.1", lambda a, b: (
        (w := min(a[2], b[2]) - max(a[0], b[0])) * (h := min(a[3], b[3]) - max(a[1], b[1]))
        / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)
    ))[1]  # fmt: skip
