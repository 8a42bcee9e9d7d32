"""Everything in utils.py's index says what it takes and what it gives."""

import inspect
import re

import pytest

import utils

OURS = ("facecourse", "lambda_function")
PUBLIC = {
    name: thing
    for name in dir(utils)
    if callable(thing := getattr(utils, name)) and getattr(thing, "__module__", "").startswith(OURS)
}


def described(thing) -> str:
    """The docstring; that of a class together with its fields."""
    return inspect.getdoc(thing) or ""


def parameters(thing) -> list[str]:
    if inspect.isclass(thing) and issubclass(thing, (Exception, dict)):
        return []
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return [name for name, p in inspect.signature(thing).parameters.items() if p.kind not in kinds]


@pytest.mark.parametrize("name", PUBLIC)
def test_says_what_it_does(name):
    first = described(PUBLIC[name]).split("\n\n")[0].replace("\n", " ")
    assert len(first) >= 12 and first.endswith((".", ":")), f"its first sentence is {first!r}"


@pytest.mark.parametrize("name", PUBLIC)
def test_says_what_it_takes(name):
    text, names = described(PUBLIC[name]), parameters(PUBLIC[name])
    section = re.search(r"^(Parameters|Attributes)\n-{5,}\n(.*?)(?=^\w+\n-{5,}\n|\Z)", text, re.M | re.S)
    if len(names) > 2:
        assert section, f"three parameters or more want a section: {names}"
    where = section[2] if section else text
    missing = [n for n in names if not re.search(rf"\b{n}\b", where) and n.rstrip("s") not in where.lower()]
    assert not missing, f"not described: {missing}"


@pytest.mark.parametrize("name", [n for n, thing in PUBLIC.items() if inspect.isfunction(thing)])
def test_says_what_it_gives(name):
    given = inspect.signature(PUBLIC[name]).return_annotation
    if given in (None, "None", inspect.Signature.empty):
        return
    text = described(PUBLIC[name])
    assert re.search(r"^(Returns|Yields)\n-{5,}", text, re.M) or re.search(
        r"\b(returns?|whether|make[s]?|draws?|cuts?|counts?|list[s]?|finds?|give[sn]?|says?|runs?|the)\b",
        text,
        re.I,
    ), "no Returns section and no word on what comes back"
