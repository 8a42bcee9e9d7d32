"""What several unit tests share."""

import pytest

from facecourse.core import downloads, paths


@pytest.fixture
def own_downloads(tmp_path, monkeypatch):
    """Downloads go to a folder of the test's own, and back-off takes no time."""
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(paths, "DOWNLOADS", tmp_path / "downloads")
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    monkeypatch.delenv("FACECOURSE_MIRROR", raising=False)
