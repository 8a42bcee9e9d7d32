"""The function's zip: small enough, nothing unneeded in it, and it runs with nothing else beside it."""

import os
import re
import sys
import zipfile

import pytest

from facecourse.core.paths import ROOT
from facecourse.deployment import package

FACE = ROOT / "data" / "people" / "Ada_Ferro" / "Ada_Ferro_0001.jpg"


@pytest.fixture(scope="module")
def local():
    return package.build_package()


@pytest.fixture(scope="module")
def for_lambda():
    try:
        return package.build_package(for_lambda=True)
    except package.PackageError as error:
        pytest.skip(f"the registry cannot be reached: {str(error).splitlines()[-1][:100]}")


def check_contents(archive):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
    assert {
        f"lambda_function/{name}" for name in ("app.py", "pipeline.py", "web/index.html", "web/openapi.json")
    } <= set(names)
    tops = {name.split("/")[0].split("-")[0] for name in names}
    wanted = {"lambda_function", "numpy", "numpy.libs", "onnxruntime", "PIL", "pillow", "pillow.libs"}
    assert tops <= wanted | {"multipart", "python_multipart"}
    assert not [n for n in names if re.search(r"/tests/|\.pyi$|\.h$|template|Dockerfile|requirements", n)]
    assert 80 * 2**20 < package.unzipped_size(archive) <= 250 * 2**20
    assert archive.stat().st_size < 80 * 2**20
    return names


def run(archive, bundle):
    return package.measure_function(archive, bundle, package.example_photo(FACE), runs=2)


def test_lambdas_package_is_for_linux_and_lambdas_python(for_lambda):
    names = check_contents(for_lambda)
    modules = [name for name in names if re.search(r"\.cp?\w*-?3\d+.*\.so$", name)]
    version = package.lambda_runtime().replace(".", "")
    assert len(modules) > 10
    assert all(f"cpython-{version}-x86_64-linux-gnu" in name for name in modules), modules


def test_no_library_asks_for_a_newer_glibc_than_lambda_has(for_lambda):
    """On Amazon Linux 2, of Python 3.11 and older, they would not even be imported."""
    wanted = set()
    with zipfile.ZipFile(for_lambda) as opened:
        for name in (n for n in opened.namelist() if re.search(r"\.so(\.|$)", n)):
            wanted |= set(re.findall(rb"\0GLIBC_(\d+)\.(\d+)", opened.read(name)))
    newest = max((int(major), int(minor)) for major, minor in wanted)
    assert (2, 26) < newest <= (2, 34)  # of Amazon Linux 2023, which Lambda's Python runs on
    assert min(package.RUNTIMES) == "3.12"


@pytest.mark.slow
@pytest.mark.skipif(
    "FACECOURSE_ALL_PACKAGES" not in os.environ, reason="fetches 60 MB; set FACECOURSE_ALL_PACKAGES"
)
def test_arm64_has_libraries_of_its_own(for_lambda):
    names = check_contents(package.build_package(for_lambda=True, architecture="arm64"))
    modules = [name for name in names if re.search(r"\.cp?\w*-?3\d+.*\.so$", name)]
    assert len(modules) > 10 and all("aarch64" in name for name in modules)


def test_the_local_package_has_what_it_needs_and_runs_alone(local, bundle):
    check_contents(local)
    speed = run(local, bundle)
    (face,) = speed.answer["faces"]
    assert face["name"] == "Ada_Ferro" and speed.answer["width"] == 640
    assert 100 < speed.peak_mb < 400 and 0 < speed.warm_ms < 1000 * speed.cold_s


def test_lambdas_package_runs_alone_too(for_lambda, bundle):
    if sys.platform != "linux" or "{}.{}".format(*sys.version_info) != package.lambda_runtime():
        pytest.skip("Lambda's package runs on Linux, with Lambda's Python")
    (face,) = run(for_lambda, bundle).answer["faces"]
    assert face["name"] == "Ada_Ferro"


def test_nothing_is_packed_twice(local, monkeypatch):
    monkeypatch.setattr(package, "_pack", lambda *_: pytest.fail("packed again"))
    assert package.build_package() == local


def test_a_package_too_large_for_lambda_is_refused(local, monkeypatch):
    monkeypatch.setattr(package, "UNZIPPED_LIMIT", 50 * 2**20)
    with pytest.raises(package.PackageError, match="250"):
        package.build_package()


def test_libraries_are_read_from_pins_with_hashes_and_markers(tmp_path, monkeypatch):
    pins = "# why\nnumpy==2.4.6 \\\n    --hash=sha256:0a \\\n    --hash=sha256:0b\n    # via onnxruntime\n"
    pins += "python-multipart==0.0.34; python_version >= '3.11'\npython-multipart==0.0.32\n"
    (tmp_path / "requirements.txt").write_text(pins)
    monkeypatch.setattr(package, "REQUIREMENTS", tmp_path / "requirements.txt")
    assert package.libraries() == ["numpy", "python-multipart"]


def test_a_zip_depends_on_contents_only(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("x = 1\n")
    os.utime(tmp_path / "b", (1, 1))
    (tmp_path / "b").chmod(0o600)
    for name in ("a", "b"):
        package.write_zip(tmp_path / f"{name}.zip", [("file.py", tmp_path / name)], zipfile.ZIP_DEFLATED)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
