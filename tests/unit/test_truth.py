"""The renderer's truth: a detected face gets the name of the true face in its place, and of no other."""

import numpy as np
import pandas as pd

from facecourse.detection.detector import detector
from facecourse.photos import truth
from lambda_function.faces import Face
from lambda_function.photos import open_photo


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


def test_each_photo_of_a_child_shows_its_surest_face_where_the_truth_says():
    known = truth._read("children/photos.json")
    photos = [truth.paths.DATA / name for name in known]
    assert sorted(photos) == sorted((truth.paths.DATA / "children").glob("*/*.jpg"))
    found = detector().detect([open_photo(path) for path in photos])
    for faces, told in zip(found, known.values(), strict=True):
        face = max(faces, key=lambda face: face.score)
        assert (
            truth.iou(face.box[None], np.array([told["box"]]))[0, 0] > truth.SAME and 5 <= told["age"] <= 11
        )
