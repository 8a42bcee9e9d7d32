"""LFW's own mistakes: photos under a wrong name, people under two names."""

import pandas as pd

from facecourse.core.sources import lfw_photos
from facecourse.photos.checks import doubled_people, known_errors, label_checks, wrongly_named

TABLE = pd.DataFrame(
    {
        "path": [
            "lfw/Michael_Schumacher/Michael_Schumacher_0008.jpg",
            "lfw/Michael_Schumacher/Michael_Schumacher_0007.jpg",
            "people/Michael_Schumacher/Michael_Schumacher_0008.jpg",
            "lfw/Doc_Rivers/Doc_Rivers_0001.jpg",
            "lfw/Glenn_Rivers/Glenn_Rivers_0001.jpg",
            "lfw/Bill_Pryor/Bill_Pryor_0001.jpg",
        ],
        "source": ["lfw", "lfw", "people", "lfw", "lfw", "lfw"],
        "person": ["Michael_Schumacher"] * 3 + ["Doc_Rivers", "Glenn_Rivers", "Bill_Pryor"],
    }
)


def test_lfws_own_wrong_photo_and_a_person_under_two_names_are_told():
    assert wrongly_named(TABLE).tolist() == ["Rubens_Barrichello", "", "", "", "", ""]
    assert doubled_people(TABLE.person) == {"Doc_Rivers": "Glenn_Rivers", "Glenn_Rivers": "Doc_Rivers"}
    found = [(row["check"], row["person"], row["path"]) for row in label_checks(TABLE)]
    assert found == [
        ("wrong_name", "Michael_Schumacher", "lfw/Michael_Schumacher/Michael_Schumacher_0008.jpg"),
        ("known_double", "Doc_Rivers", ""),
    ]


def test_every_line_of_the_list_is_about_photos_of_lfw(lfw_mirror, monkeypatch):
    monkeypatch.setenv("FACECOURSE_MIRROR", str(lfw_mirror))
    folder, errors = lfw_photos(), known_errors()
    assert set(errors.kind) == {"wrong_name", "two_names"} and not errors.duplicated().any()
    for kind, name, other in errors.itertuples(index=False):
        person = name.rsplit("_", 1)[0] if kind == "wrong_name" else name
        assert (folder / person).is_dir() and (folder / other).is_dir()
        assert kind == "two_names" or (folder / person / f"{name}.jpg").is_file()
