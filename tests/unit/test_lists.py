"""Lists about LFW's people, read as others wrote them."""

import pandas as pd

from facecourse.photos import lists


def test_who_is_in_the_training_data_and_who_was_perceived_as_what(tmp_path, monkeypatch):
    texts = {
        lists.OVERLAP: "12 Zico 0.356717\n7 Zhang_Yimou 0.929096\n\n3 Zoe_Ball 0.5\n",
        lists.PERCEIVED["male"]: "Zico_0001.jpg\r\nZhang_Yimou_0001.jpg\r\n",
        lists.PERCEIVED["female"]: "Zoe_Ball_0001.jpg\r\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text.encode())
    monkeypatch.setattr(lists, "fetch", lambda name: tmp_path / name)
    assert lists.in_training_data() == {"Zhang_Yimou", "Zoe_Ball"}
    paths = [
        "a/Zico/Zico_0001.jpg",
        "a/Zoe_Ball/Zoe_Ball_0001.jpg",
        "b/Zico/Zico_0001.jpg",
        "a/No/No_0001.jpg",
    ]
    manifest = pd.DataFrame({"path": paths, "source": ["lfw", "lfw", "people", "lfw"]})
    assert lists.perceived_groups(manifest).tolist() == ["male", "female", "", ""]
