"""Photos in a bucket: a local cloud's S3 gives the rows of the folder, in a plain loop and under Ray."""

import shutil

import pytest
from botocore.exceptions import ClientError

from facecourse.core.paths import DATA
from facecourse.deployment.cloud import REGION, LocalCloud
from facecourse.scale import inputs
from facecourse.scale import shards as scale
from tests.scale import same_rows

BUCKET, PREFIX = "photos-of-the-test", "team/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("Alva_Abrentis", "Cerys_Estevik", "Elowen_Ivarelli"):
        shutil.copytree(DATA / "others" / name, folder / name)
    (folder / "Alva_Abrentis" / "words.jpg").write_text("this is not a picture")
    (folder / "Alva_Abrentis" / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def s3(folder):
    """A bucket with the folder's files under one prefix and others beside it, found as boto3 finds AWS."""
    cloud = LocalCloud()
    client = cloud.client("s3")
    client.create_bucket(Bucket=BUCKET)
    for path in sorted(folder.rglob("*.*")):
        client.upload_file(str(path), BUCKET, f"{PREFIX}{path.relative_to(folder).as_posix()}")
    client.put_object(Bucket=BUCKET, Key="elsewhere/other.jpg", Body=b"not asked for")
    patch = pytest.MonkeyPatch()
    for name, value in (
        ("AWS_ENDPOINT_URL", cloud.endpoint),
        ("AWS_ACCESS_KEY_ID", cloud.account),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_DEFAULT_REGION", REGION),
    ):
        patch.setenv(name, value)
    inputs._s3.cache_clear()
    yield client
    inputs._s3.cache_clear()
    patch.undo()
    cloud.stop()


@pytest.fixture(scope="module")
def tables(folder, s3, bundle, tmp_path_factory):
    """The rows of the folder, and the shards of the bucket with their rows."""
    output = tmp_path_factory.mktemp("output")
    local = scale.plan(folder, bundle, 4)
    remote = scale.plan(f"s3://{BUCKET}/{PREFIX}", bundle, 4)
    for shards in (local, remote):
        scale.run_shards(shards, bundle, output)
    return scale.read_table(local, output), remote, scale.read_table(remote, output)


def test_a_bucket_gives_the_rows_of_the_folder(tables):
    local, _, remote = tables
    assert len(remote) == 7 and set(remote.problem) == {"", "not_an_image"}
    assert remote.path.str.startswith(f"s3://{BUCKET}/{PREFIX}").all()
    assert same_rows(local, remote)


def test_rays_workers_read_the_bucket_themselves(tables, bundle, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is an optional extra: pip install -r requirements-scale.txt")
    ray.shutdown()  # one that was started before the cloud would not know its address
    _, shards, expected = tables
    facts = scale.run_shards(shards, bundle, tmp_path, scale.with_ray(2))
    ray.shutdown()
    assert facts.photos.sum() == 7 and same_rows(expected, scale.read_table(shards, tmp_path))


def test_more_photos_than_one_listing_holds(s3):
    names = [f"many/{number:04d}.jpg" for number in range(1001)]  # S3 lists a thousand at a time
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=name, Body=b"")
    assert inputs.list_photos(f"s3://{BUCKET}/many/") == [f"s3://{BUCKET}/{name}" for name in names]


def test_a_photo_that_has_gone_is_a_row_and_a_refusal_stops_the_run(s3):
    gone, nowhere = f"s3://{BUCKET}/{PREFIX}gone.jpg", "s3://no-such-bucket/a.jpg"
    assert list(inputs.read_photos([gone])) == [(gone, None)]
    with pytest.raises(ClientError, match="NoSuchBucket"):
        list(inputs.read_photos([nowhere]))
    with pytest.raises(ClientError, match="NoSuchBucket"):
        inputs.list_photos("s3://no-such-bucket/")
