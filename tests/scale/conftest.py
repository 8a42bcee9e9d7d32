"""What the tests of notebook 07's package share."""

import pytest

from tests.sample_bundle import build_sample_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A model of the tests' own."""
    return build_sample_bundle(tmp_path_factory.mktemp("outputs"), "others")
