"""`make setup`: what would make an installation fail is said before, and torch's build fits the machine."""

import sys
from pathlib import Path

import pytest

from tools import set_up


def problems(here=100.0, temporary=100.0, same=True, needs=(8, 3), system="Linux", machine="x86_64"):
    return set_up.problems(here, temporary, same, needs, system, machine)


def test_a_machine_that_is_fit_has_no_problems():
    assert problems() == [] and problems(system="Darwin", machine="arm64", same=False) == []
    assert problems(here=4.5, needs=(3, 1)) == []


@pytest.mark.parametrize(
    "change, word",
    [
        ({"here": 3.0}, "3.0 GB are free on the project's disk"),
        ({"here": 9.0}, "TORCH=cpu"),
        ({"temporary": 1.0, "same": False}, "TMPDIR"),
        ({"system": "Darwin"}, "Intel"),
    ],
)
def test_what_would_make_an_installation_fail_is_said_before(change, word):
    (sentence,) = problems(**change)
    assert word in sentence


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one build only")
def test_without_a_card_the_build_for_the_cpu_is_taken_if_the_index_answers(httpserver):
    httpserver.expect_request("/cpu/torch/").respond_with_data("torch")
    index = httpserver.url_for("").rstrip("/")
    assert set_up.torch_build("", index, gpu=False) == "cpu"
    assert set_up.torch_build("", index + "/elsewhere", gpu=False) == "plain"
    assert set_up.torch_build("", "http://127.0.0.1:9", gpu=False) == "plain"
    assert set_up.torch_build("", index, gpu=True) == "plain"
    assert set_up.torch_build("cu130", index, gpu=False) == "cu130"


class Commands(list):
    """Stands for subprocess.run: notes the commands, and what was in the file after -r."""

    def __init__(self, fail=""):
        super().__init__()
        self.fail = fail

    def __call__(self, command, check=False, **_):
        words = [str(word) for word in command]
        self.append(" ".join(words) + (Path(words[-1]).read_text() if words[-2] == "-r" else ""))
        failed = bool(self.fail) and self.fail in self[-1]
        if failed and check:
            raise set_up.subprocess.CalledProcessError(1, words)
        return set_up.subprocess.CompletedProcess(words, int(failed))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one build only")
@pytest.mark.parametrize(
    "build, chosen, fail, torch, cuda",
    [
        ("plain", False, "", [], True),
        ("cpu", False, "", ["whl/cpu torch==2."], False),
        ("cpu", True, "", ["whl/cpu torch==2.", "+cpu torchvision==0."], False),
        ("cpu", False, "whl/cpu", ["whl/cpu torch==2."], True),  # the index has no such version
    ],
)
def test_torch_comes_first_and_cuda_only_where_it_is_used(
    monkeypatch, tmp_path, build, chosen, fail, torch, cuda
):
    ran = Commands(fail)
    monkeypatch.setattr(set_up.subprocess, "run", ran)
    set_up.install(tmp_path, "", build, chosen)
    assert all(word in ran[0] for word in torch)
    assert ("nvidia-" in ran[-1]) == cuda and "\nfacenet-pytorch==2.5.3" in ran[-1]


def test_a_half_installed_package_is_installed_again(monkeypatch, tmp_path):
    monkeypatch.setattr(set_up.subprocess, "run", Commands())
    packages = tmp_path / "lib/python3.12/site-packages"
    for name in ("whole", "half"):
        (packages / f"{name}-1.0.dist-info").mkdir(parents=True)
    (packages / "whole-1.0.dist-info/INSTALLER").write_text("pip\n")
    set_up.install(tmp_path, "", "plain", False)
    assert [path.name for path in packages.iterdir()] == ["whole-1.0.dist-info"]
