"""The renderer's truth: a detected face gets the name of the true face in its place, and of no other."""

import pandas as pd

from facecourse.photos import truth
from lambda_function.faces import Face


def test_a_detected_face_gets_the_name_of_the_true_face_in_its_place():
    known = truth.true_faces().set_index("path")
    alone = truth.paths.DATA / "people/Ada_Ferro/Ada_Ferro_0001.jpg"
    group = known.index[known["group"]][0]
    row, other = known.loc[alone], known.loc[group].iloc[-1]
    faces = [Face(r["box"] + 3, r["landmarks"], 1) for r in (row, other, row)]
    faces.append(Face(row["box"] + 200, row["landmarks"] + 200, 1))
    named = truth.true_names([alone, group, alone.parent / "mine.jpg", alone], faces)
    assert named["name"].tolist() == ["Ada_Ferro", other["name"], "", ""]
    assert named["age"][0] == 27 and named["age"][1:].isna().all() and named["condition"][0] == "plain"


def test_conditions_come_by_photo_and_are_missing_for_the_readers_own():
    paths = ["data/people/Mira_Solenne/Mira_Solenne_0001.jpg", "/home/me/Mira_Solenne_0001.jpg"]
    told = truth.true_conditions(pd.DataFrame({"path": paths}))
    assert (
        told.kinship[0] == truth.true_kinship()["Mira_Solenne"] and told.kinship[0]["Nora_Solenne"] == "twin"
    )
    assert told[["kinship", "age"]].iloc[1].isna().all() and "Ada_Ferro" not in truth.true_kinship()
