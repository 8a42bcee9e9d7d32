"""The README's example names people with the model that the notebooks built."""

import re

import pytest

from facecourse.core.paths import OUTPUTS
from tests.conftest import ROOT


def test_the_example_of_the_readme_names_five_people_and_one_stranger(capsys, monkeypatch):
    model = OUTPUTS / "sample" / "model"
    if not model.exists():
        pytest.skip("the notebooks have not run: make test")
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    assert '"outputs/sample/model"' in code
    monkeypatch.chdir(ROOT)
    exec(code.replace('"outputs/sample/model"', repr(str(model))), {})
    lines = capsys.readouterr().out.splitlines()
    names = {line.split()[0] for line in lines}
    assert len(lines) == 6 and "unknown" in names
    assert names == {
        "Farid_Okonska",
        "Greta_Holmavik",
        "Ines_Valkamo",
        "Jarek_Umbeta",
        "Kalinda_Frostad",
        "unknown",
    }
