"""What a reader may write by mistake into a notebook's parameters is answered by what to write instead."""

import pandas as pd
import pytest

from facecourse.app.session import photos_at
from facecourse.app.uploads import save_photos
from facecourse.commons import collect
from facecourse.core.paths import PEOPLE_DIR, outputs_for
from facecourse.deployment.aws import deploy
from facecourse.deployment.cloud import CloudError, open_cloud
from facecourse.embedding.backbones import default_backbone
from facecourse.photos.files import scan


@pytest.mark.parametrize("first_use", [default_backbone, outputs_for])
def test_another_profile(first_use):
    with pytest.raises(ValueError, match="PROFILE must be one of sample, lfw, not 'LFW'"):
        first_use("LFW")


def test_a_photo_that_is_nowhere_and_a_folder_without_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="no photo and no folder .*gone.jpg, seen from"):
        photos_at(tmp_path / "gone.jpg")
    (tmp_path / "Ada").mkdir()
    with pytest.raises(FileNotFoundError, match="folders in it are not searched"):
        photos_at(tmp_path)


def test_one_name_instead_of_a_list(monkeypatch, tmp_path):
    asked = []

    def one(client, person, words, people):
        asked.append((person, words))
        return pd.DataFrame({"verdict": []})

    monkeypatch.setattr(collect, "_collect_one", one)
    monkeypatch.setattr(collect.paths, "DOWNLOADS", tmp_path)
    collect.collect_people("Mary Robinson", tmp_path)
    assert asked == [("Mary_Robinson", "Mary Robinson")]


def test_another_yes_than_the_one_that_is_asked_for():
    with pytest.raises(CloudError, match="leave it empty for the local cloud, or write"):
        open_cloud("yes")


@pytest.mark.parametrize("authorisation", ["none", "", "PUBLIC"])
def test_another_way_in(authorisation):
    with pytest.raises(CloudError, match="AUTHORISATION must be one of AWS_IAM, NONE"):
        deploy(None, "sample", None, None, "", authorisation)


def test_a_folder_in_the_readers_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    photo = (PEOPLE_DIR / "Ada_Ferro" / "Ada_Ferro_0001.jpg").read_bytes()
    written, refused = save_photos("Ada", [("a.jpg", photo)], "~/faces")
    assert written == [tmp_path / "faces" / "Ada" / "Ada_0001.jpg"] and not refused
    assert [file.person for file in scan("~/faces", "people", "")[0]] == ["Ada"]
