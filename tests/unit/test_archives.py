"""Archives that cannot write where they like, and unpacking that leaves all or nothing."""

import errno
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from facecourse.core import archives


def make_tar(path, *members):
    """Write a tar of (name, content) or (name, None, TarInfo type, link target)."""
    with tarfile.open(path, "w:gz") as opened:
        for name, content, *kind in members:
            info = tarfile.TarInfo(name)
            if content is not None:
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = kind
                opened.addfile(info)
    return path


def make_zip(path, *members):
    with zipfile.ZipFile(path, "w") as opened:
        for name, content, *mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode[0] if mode else 0o100644) << 16
            opened.writestr(info, content)
    return path


HOSTILE_TARS = {
    "climbs": ("../evil", b"x"),
    "climbs later": ("a/../../evil", b"x"),
    "absolute": ("/tmp/evil", b"x"),
    "windows drive": ("C:\\evil", b"x"),
    "windows climb": ("a\\..\\..\\evil", b"x"),
    "symlink": ("link", None, tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": ("link", None, tarfile.LNKTYPE, "good"),
    "device": ("null", None, tarfile.CHRTYPE, ""),
    "block device": ("disk", None, tarfile.BLKTYPE, ""),
    "pipe": ("pipe", None, tarfile.FIFOTYPE, ""),
    "same name twice": ("good", b"again"),
    "file as folder": ("good/inside", b"x"),
    "folder that climbs": ("../folder", None, tarfile.DIRTYPE, ""),
}


@pytest.mark.parametrize("member", HOSTILE_TARS.values(), ids=HOSTILE_TARS)
def test_hostile_tars_leave_nothing(tmp_path, member):
    archive = make_tar(tmp_path / "a.tgz", ("good", b"fine"), member)
    with pytest.raises(archives.UnsafeArchive):
        archives.extract(archive, tmp_path / "below" / "out")
    assert list((tmp_path / "below").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "below"]


HOSTILE_ZIPS = {
    "climbs": ("../evil", b"x"),
    "absolute": ("/evil", b"x"),
    "symlink": ("link", b"/etc/passwd", 0o120777),
    "pipe": ("pipe", b"", 0o010644),
}


@pytest.mark.parametrize("member", HOSTILE_ZIPS.values(), ids=HOSTILE_ZIPS)
def test_hostile_zips_leave_nothing(tmp_path, member):
    archive = make_zip(tmp_path / "a.zip", ("good", b"fine"), member)
    with pytest.raises(archives.UnsafeArchive):
        archives.extract(archive, tmp_path / "below" / "out")
    assert list((tmp_path / "below").iterdir()) == []


def test_an_archive_that_swells_is_refused(tmp_path):
    archive = make_tar(tmp_path / "bomb.tgz", ("zeros", bytes(3_000_000)))
    assert archive.stat().st_size < 10_000
    with pytest.raises(archives.UnsafeArchive, match="more than"):
        archives.extract(archive, tmp_path / "out", max_bytes=1_000_000)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("keep", [0, 1, 10, 200, 60_000], ids=lambda n: f"{n} bytes")
def test_damaged_archives_leave_nothing(tmp_path, keep):
    whole = make_tar(tmp_path / "a.tgz", ("a", os.urandom(50_000)), ("b", os.urandom(50_000)))
    cut = tmp_path / "below" / "cut.tgz"
    cut.parent.mkdir()
    cut.write_bytes(whole.read_bytes()[:keep])
    with pytest.raises(archives.UnsafeArchive):
        archives.extract(cut, tmp_path / "below" / "out")
    assert [path.name for path in cut.parent.iterdir()] == ["cut.tgz"]


def test_a_full_disk_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    archive = make_tar(tmp_path / "a.tgz", ("a", b"1" * 1000), ("b", b"2" * 1000))
    real = open

    def open_but_full(path, mode="r", *rest, **more):
        if mode == "xb" and Path(path).name == "b":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, mode, *rest, **more)

    monkeypatch.setattr("builtins.open", open_but_full)
    with pytest.raises(OSError, match="No space"):
        archives.extract(archive, tmp_path / "below" / "out")
    assert list((tmp_path / "below").iterdir()) == []


def test_good_archives_are_unpacked_whole_with_harmless_rights(tmp_path):
    tar = make_tar(
        tmp_path / "a.tgz",
        ("Ada/1.jpg", b"one"),
        ("Ada/sub", None, tarfile.DIRTYPE, ""),
        ("./Bo/2.jpg", b"two"),
    )
    pack = make_zip(tmp_path / "a.zip", ("Ada/1.jpg", b"one", 0o104777), ("Bo/2.jpg", b"two"))
    for archive in (tar, pack):
        folder = archives.extract(archive, tmp_path / archive.stem / archive.suffix)
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        assert files == {"Ada/1.jpg": b"one", "Bo/2.jpg": b"two"}
        assert not any(p.stat().st_mode & 0o7111 for p in folder.rglob("*.jpg"))


def test_what_a_killed_run_left_half_unpacked_is_swept_up(tmp_path):
    archive = make_tar(tmp_path / "a.tgz", ("a", b"1"))
    (tmp_path / ".out.x1.partial").mkdir()
    (tmp_path / ".out.x1.partial" / "half").write_bytes(b"h")
    archives.extract(archive, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tgz", "out"]
