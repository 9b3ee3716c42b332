from pathlib import Path

import pytest

from tests.support.hugging_face import make_classifier


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny DistilBERT."""
    return make_classifier(tmp_path / "tiny")
