"""The pages, built once for all tests of a process."""

from pathlib import Path

import pytest

from tests.support.site import build_site


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the built pages."""
    return build_site(tmp_path_factory.mktemp("site"))
