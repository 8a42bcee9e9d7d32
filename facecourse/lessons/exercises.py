"""Checks of the notebooks' exercises: right, a hint, or not answered yet; a wrong answer never raises."""

import base64
import copy
import json
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """One try of the reader's function: its arguments, what it should give, and a hint where it does not."""

    arguments: tuple
    expected: Any
    hint: str


def _unit(*row) -> np.ndarray:
    return (np.array(row) / np.linalg.norm(row)).astype(np.float32)


_X, _Y, _XY = _unit(1, 0, 0), _unit(0, 1, 0), _unit(1, 1, 0)
_PEOPLE = ["Ada", "Bo", "Cy"]


def _names_of(photo: bytes) -> list[str]:
    """Play the recogniser of exercise 6.3: a photo is the word "photo:" and who is in it."""
    if not isinstance(photo, bytes):
        raise TypeError(f"a photo is bytes, not {type(photo).__name__}")
    if not photo.startswith(b"photo:"):
        raise ValueError("not a photo")
    return photo[6:].decode().split()


def _event(method: str, photo: bytes) -> dict:
    return {"requestContext": {"http": {"method": method}}, "body": base64.b64encode(photo).decode()}


EXERCISES: dict[str, list[Case]] = {
    "1.1": [
        Case((10,), 3, "30 % of 10 is 3."),
        Case((3,), 0, "Round down: 30 % of 3 is 0.9, so a person with 3 photos has none in val."),
        Case((530,), 159, "30 % of 530 is exactly 159; mind the rounding of 0.3 as a float."),
        Case((1,), 0, "A single photo stays in train."),
    ],
    "1.2": [
        Case(("00", "00"), 0, "The same hash has distance 0."),
        Case(("0f", "00"), 4, "Count bits, not characters: f is 1111."),
        Case(("ffd8a0c3", "ffd8a0c1"), 1, "3 is 0011 and 1 is 0001. Compare int(a, 16) with int(b, 16) by ^."),
    ],
    "1.3": [
        Case((np.ones((3, 4)),), [[0, 0]], "One flat colour has no edges. Only pixels with four neighbours count."),
        Case((np.eye(3),), [[-4]], "The four neighbours of the middle are 0: 0 - 4 * 1."),
        Case((np.arange(12.0).reshape(3, 4) ** 2,), [[34, 34]], "Left, right, above and below, minus four times itself."),
    ],
    "2.1": [
        Case(((0, 0, 10, 10), (0, 0, 10, 10)), 1.0, "A box overlaps itself fully."),
        Case(((0, 0, 10, 10), (5, 0, 15, 10)), 1 / 3, "The union counts the shared part once: 100 + 100 - 50."),
        Case(((0, 0, 2, 2), (5, 5, 7, 7)), 0.0, "Boxes apart share nothing: a negative width is no width."),
        Case(((0, 0, 4, 4), (6, 6, 9, 9)), 0.0, "Two negative sides must not make a positive area."),
    ],
    "2.2": [
        Case((250, 250, 20), 8, "First scale 12 / smallest face; stop when the shorter side is below 12 pixels."),
        Case((250, 250, 40), 6, "Twice the smallest face: the first picture is half as large, two levels fewer."),
        Case((100, 800, 20), 5, "The shorter side decides when to stop."),
        Case((10, 10, 20), 0, "A photo smaller than the window has no level."),
    ],
    "2.3": [
        Case(([(0, 0, 20, 20), (90, 90, 150, 150)], 250, 250), 1, "Larger and nearer to the centre: no doubt."),
        Case(([(95, 95, 155, 155), (0, 0, 66, 66)], 250, 250), 0, "A little larger, but in the corner: not it."),
        Case(([(120, 120, 128, 128), (60, 80, 160, 180)], 250, 250), 1, "A tiny face in the middle is background."),
    ],
    "2.4": [
        Case((np.array([[0, 0, 10, 10], [50, 0, 60, 10.0]]), np.array([0.8, 0.9]), 0.5), [1, 0], "Best first."),
        Case(
            (np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10.0]]), np.array([0.8, 0.9, 0.7]), 0.5),
            [1, 2],
            "The first two overlap by 90 / 110: the less sure one goes.",
        ),
        Case(
            (np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10.0]]), np.array([0.8, 0.9, 0.7]), 0.4),
            [1],
            "Both neighbours overlap the best one by 60 / 140: both go.",
        ),
        Case(
            (np.array([[0, 0, 10, 10], [4, 0, 14, 10], [8, 0, 18, 10.0]]), np.array([0.9, 0.8, 0.7]), 0.4),
            [0, 2],
            "A box that was dropped suppresses nobody: compare with the kept ones only.",
        ),
    ],
    "3.1": [
        Case((_X * 5, _X * 2), 1.0, "Length must not matter: divide by both lengths."),
        Case((_X, _Y), 0.0, "At a right angle there is nothing in common."),
        Case((_X, _XY), 0.70710678, "cos 45 degrees is about 0.71."),
        Case((_X, -3 * _X), -1.0, "Opposite directions give -1."),
    ],
    "3.2": [
        Case((np.array([0.0, 0.0]), 0, 30.0), 0.6931472, "Two people, no difference: -log(1/2)."),
        Case((np.array([0.1, 0.0]), 0, 10.0), 0.3132617, "Stretch the cosines by the scale before the softmax."),
        Case((np.array([0.1, 0.0]), 1, 10.0), 1.3132617, "`label` says which entry is right."),
        Case((np.array([1.0, -1.0]), 1, 1000.0), 2000.0, "exp(1000) is too large: subtract the maximum first."),
    ],
    "3.3": [
        Case((np.stack([_X, _XY, _Y]), np.array([0, 0, 1]), _X), 0, "The probe lies on person 0's first photo."),
        Case((np.stack([_X, _X, -_Y, _Y]), np.array([0, 0, 1, 0]), -_Y), 1, "Which mean is nearest to the probe?"),
        Case(
            (np.stack([_X, _X, _X, _Y, _unit(1, 2, 0)]), np.array([0, 0, 0, 1, 1]), _XY),
            1,
            "Scale each mean to length 1: many photos must not make a person larger.",
        ),
    ],
    "3.4": [
        Case((np.array([0.5, 0.0]), 0, 10.0, 0.0), [5.0, 0.0], "Without a margin these are the scaled cosines."),
        Case((np.array([0.5, 0.2]), 0, 10.0, 0.3), [2.2171, 2.0], "cos 60 degrees is 0.5; 0.3 more is cos(1.3472)."),
        Case((np.array([0.5, 0.2]), 1, 1.0, 0.3), [0.5, -0.0985], "Only the right person is handicapped."),
    ],
    "3.5": [
        Case((np.zeros((2, 2)), np.array([1.0, 0.0]), 0, 1.0), [[0.5, 0], [-0.5, 0]], "p is 1/2 for both people."),
        Case((np.zeros((2, 2)), np.array([1.0, 0.0]), 1, 0.1), [[-0.05, 0], [0.05, 0]], "Times the rate."),
        Case((np.eye(2), np.array([1.0, 0.0]), 0, 1.0), [[1.26894, 0], [-0.26894, 1]], "p is (e, 1) / (e + 1)."),
    ],
    "4.1": [
        Case((np.array([0.9, 0.8, 0.2]), np.arange(100) / 200, 0.01), 2 / 3, "At FMR 0.01 one of 100 may pass."),
        Case((np.array([0.494, 0.3]), np.arange(100) / 200, 0.02), 0.5, "Two of 100 may pass: 0.495 and 0.49."),
        Case((np.array([0.9, 0.1]), np.array([0.5, 0.6]), 0.0), 0.5, "At FMR 0 the threshold is above 0.6."),
    ],
    "4.2": [
        Case((0.001, 1), 0.001, "One person to be taken for: that is the FMR itself."),
        Case((0.001, 100), 0.0952079, "Not named by any of 100: (1 - 0.001) to the power of 100."),
        Case((0.001, 10000), 0.9999548, "Ten thousand chances make it nearly certain, and never more than 1."),
    ],
    "4.3": [
        Case((np.array([0.9, 0.8]), np.array([0.2, 0.1])), 0.0, "A threshold of 0.8 makes no error at all."),
        Case((np.array([0.9, 0.3]), np.array([0.8, 0.5, 0.2, 0.1])), 0.5, "Compare shares of each kind, not counts."),
        Case((np.array([0.9, 0.8, 0.6]), np.array([0.7, 0.3, 0.2, 0.1])), 7 / 24, "At 0.7: FMR 1/4, FNMR 1/3."),
        Case((np.array([0.5, 0.5]), np.array([0.5, 0.5])), 0.5, "Equal scores are accepted together or not at all."),
    ],
    "5.1": [
        Case((3_000_000,), True, "3 MB grow to 4 MB in base64."),
        Case((6_000_000,), False, "Base64 makes 4 letters of 3 bytes: 6 MB become 8 MB."),
        Case((4_718_592,), True, "Exactly 6 MiB = 6 * 1024 * 1024 after base64 still fits."),
        Case((4_718_593,), False, "A started group of 3 bytes still makes 4 letters: round up."),
    ],
    "5.2": [
        Case((1_000_000, 0, 1024), 0.2, "Requests alone: 0.20 dollars per million."),
        Case((1_000_000, 1000, 1024), 16.8667, "A second with 1 GB is one GB-second: 0.0000166667 dollars each."),
        Case((1_000_000, 100, 2048), 3.53333, "Half a GB for two seconds costs as much as 2 GB for half a second."),
    ],
    "5.3": [
        Case((np.array([0.0, 0.2, 1.0]), 0.0, 1.0), [0, 51, 255], "A step is (high - low) / 255 wide."),
        Case((np.array([0.007]), 0.0, 2.55), [1], "0.7 of a step is nearer to 1 than to 0: round."),
        Case((np.array([-1.0, 0.0, 0.5, 1.55]), -1.0, 1.55), [0, 100, 150, 255], "low becomes 0, so zero is z = -low / s."),
        Case((np.array([-5.0, 9.0]), -1.0, 1.55), [0, 255], "What lies beyond the range gets its end: clip."),
    ],
    "6.1": [
        Case((np.array([0.2, 0.9, 0.1]), _PEOPLE, 0.5), "Bo", "The highest score is above the threshold: a name."),
        Case((np.array([0.2, 0.4, 0.1]), _PEOPLE, 0.5), "unknown", "Nobody reaches the threshold."),
        Case((np.array([0.5, 0.4, 0.1]), _PEOPLE, 0.5), "Ada", "A score equal to the threshold is enough."),
        Case((np.array([]), [], 0.5), "unknown", "In an empty gallery everyone is a stranger."),
    ],
    "6.2": [
        Case((np.stack([_X, _X]),), _X, "Two equal embeddings: their mean is the same."),
        Case((np.stack([_X, _Y]),), _XY, "The mean of unit vectors is shorter than 1: scale it."),
        Case((np.stack([_Y]),), _Y, "One photo is enough."),
    ],
    "6.3": [
        Case(
            (_event("POST", b"photo:Ada Bo"), _names_of),
            {"statusCode": 200, "body": '{"names": ["Ada", "Bo"]}'},
            "Decode the base64; the body is JSON as text.",
        ),
        Case(
            (_event("POST", b"photo:"), _names_of),
            {"statusCode": 200, "body": '{"names": []}'},
            "A photo of nobody is a photo.",
        ),
        Case((_event("GET", b"photo:Ada"), _names_of), {"statusCode": 405}, "Only POST brings a photo."),
        Case((_event("POST", b"%PDF"), _names_of), {"statusCode": 415}, "Catch the ValueError of names_of."),
    ],
    "7.1": [
        Case((10, 2), [5, 5], "Ten photos in two shards: five each."),
        Case((10, 3), [4, 3, 3], "The rest of the division goes to the first shards, one photo each."),
        Case((2, 4), [1, 1, 0, 0], "More shards than photos: some stay empty, and nothing is lost."),
    ],
    "7.2": [
        Case((3600, 1, 1, 100), 1.0, "3600 photos at one per second take an hour."),
        Case((3600, 1, 4, 100), 0.25, "Four workers share the photos."),
        Case((3600, 10, 40, 100), 0.01, "40 workers could do 400 photos per second, but storage gives only 100."),
    ],
    "8.1": [
        Case((np.array([0.9, 0.2, 0.8, 0.1]), np.arange(4), 0.5, 0.0), 0.5, "Nothing refused: two of four are below."),
        Case((np.array([0.9, 0.2, 0.8, 0.1]), np.array([4, 1, 3, 2]), 0.5, 0.25), 1 / 3, "Quality 1 goes, with 0.2."),
        Case((np.array([0.9, 0.2, 0.8, 0.1]), np.array([4, 1, 3, 2]), 0.5, 0.5), 0.0, "Refuse the lowest, not the highest."),
        Case((np.array([0.9, 0.2, 0.8, 0.1]), np.array([4, 1, 3, 2]), 0.5, 0.4), 1 / 3, "40 % of 4 is one photo."),
    ],
    "8.2": [
        Case(([np.array([0.1, 0.6])], np.array([0.4, 0.9, 0.8, 0.7]), 0.5), [0.5, 0.25], "APCER: attacks called live."),
        Case(([np.zeros(9), np.array([0.9])], np.array([0.9]), 0.5), [1.0, 0.0], "The worst kind counts."),
        Case(([np.array([0.5, 0.1])], np.array([0.5]), 0.5), [0.5, 0.0], "Equal to the threshold is live."),
    ],
    "9.1": [
        Case((np.array([0, 0, 0, 1]), np.array(["Ada", "Ada", "Bo", "Bo"])), 2 / 3, "(2/3 + 2/3 + 1/3 + 1) / 4."),
        Case((np.array([5, 6, 7]), np.array(["Ada", "Ada", "Bo"])), 1.0, "A face alone is in a pure cluster."),
        Case((np.array([1, 1, 1, 1]), np.array(["Ada", "Bo", "Cy", "Di"])), 0.25, "Count the face itself: 1 of 4."),
    ],
    "9.2": [
        Case((np.stack([_X, _Y]), np.array([1.0, 1.0])), _XY, "Equal weights: the plain mean, scaled to length 1."),
        Case((np.stack([_X, _Y]), np.array([0.0, 2.0])), _Y, "A frame of no quality has no say."),
        Case((np.stack([_X, _Y]), np.array([1.0, 2.0])), _unit(1, 2, 0), "Weigh each frame, then scale to length 1."),
    ],
}  # fmt: skip


def check(number: str, answer) -> None:
    """Print whether exercise `number`, such as "2.1", is solved by the reader's function; a hint if not."""
    print(f"{number}: {grade(number, answer)[1]}")


def grade(number: str, answer) -> tuple[str, str]:
    """Try an answer: "right", "wrong" or "open" (nothing there yet), and a sentence for the reader. Never raises."""
    if number not in EXERCISES:
        return "wrong", f"there is no such exercise; there are {', '.join(EXERCISES)}."
    if answer is None or answer is ...:
        return "open", "not answered yet."
    if not callable(answer):
        return "wrong", "give the function itself, without brackets behind its name."
    for place, case in enumerate(EXERCISES[number]):
        try:
            given = answer(*copy.deepcopy(case.arguments))
            if given is None or given is ...:
                if place == 0:
                    return "open", "not answered yet."
                given = "nothing"
            elif _same(given, case.expected):
                continue
            problem = f"it gives {_shown(given)} for {_shown(case.arguments)}"
        except Exception as error:  # the reader's code may do anything
            problem = f"it stops with {type(error).__name__}: {error}"
        return "wrong", f"not yet: {problem}. Hint: {case.hint}"
    return "right", "right."


def _same(given, expected) -> bool:
    """Compare as values: text and truth exactly, numbers to a thousandth of their size; an answer may hold more keys."""
    if isinstance(expected, dict):
        return isinstance(given, dict) and all(
            type(given.get(key)) is type(value) and _read(key, given[key]) == _read(key, value)
            for key, value in expected.items()
        )
    if isinstance(expected, (str, bool)):
        return bool(given == expected)
    given, expected = np.asarray(given, np.float64), np.asarray(expected, np.float64)
    return given.shape == expected.shape and np.allclose(given, expected, rtol=1e-3, atol=1e-5)


def _read(key: str, value):
    """Read an answer's body as the JSON it is: spaces and order do not matter."""
    return json.loads(value) if key == "body" else value


def _shown(value) -> str:
    """Write a value on one short line."""
    with np.printoptions(precision=3, threshold=8, suppress=True):
        if isinstance(value, tuple):
            text = ", ".join(np.array2string(v) if isinstance(v, np.ndarray) else repr(v) for v in value)
        else:
            text = str(value)
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "..."
