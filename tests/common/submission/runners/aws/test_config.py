from typing import Any

import pytest
from pydantic import ValidationError

from common.submission.runners.aws import jobs
from common.submission.runners.aws.config import AwsBatchConfig
from common.submission.spec import TaskSpec

WHOLE = {"name": "aws", "region": "eu-central-1", "bucket": "files", "default_partition": "cpu"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bucket": "No_Bucket"}, "pattern"),
        ({"access_key": "AKIAEXAMPLE", "secret_key": "env:X"}, "is a secret, which is given by reference only"),
        ({"access_key": "env:X"}, "access_key and secret_key belong together"),
        ({"access_key": "env:X", "secret_key": "env:Y", "profile": "p"}, "either profile, or"),
        ({"job_definition": "own:1", "default_image": "python"}, "job_definition names the image"),
        ({"platform": "FARGATE"}, "FARGATE needs execution_role"),
        ({"share": "/mnt"}, "None"),
        ({"prefix": "../x"}, "pattern"),
    ],
)
def test_a_section_that_cannot_work_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AwsBatchConfig.model_validate({**WHOLE, **given})


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("python:3.11", "123.dkr.ecr.eu-central-1.amazonaws.com/python:3.11"),
        ("team/python:3.11", "123.dkr.ecr.eu-central-1.amazonaws.com/team/python:3.11"),
        ("docker.io/library/python", "docker.io/library/python"),
        ("localhost/python", "localhost/python"),
    ],
)
def test_an_image_without_a_registry_is_the_clusters_own(image: str, full: str) -> None:
    config = AwsBatchConfig.model_validate({**WHOLE, "images": "123.dkr.ecr.eu-central-1.amazonaws.com/"})
    spec = TaskSpec(name="a", cluster="aws", entry_point="a.py", image=image)
    assert jobs.image_of(spec, config) == full


def test_equal_images_have_one_definition_and_others_another() -> None:
    config = AwsBatchConfig.model_validate(WHOLE)
    first, second, other = (
        jobs.definition(TaskSpec(name=name, cluster="aws", entry_point="a.py", image=image, cpus=3), config)
        for name, image in (("a", "x"), ("b", "x"), ("c", "y"))
    )
    assert first == second
    assert first["jobDefinitionName"] != other["jobDefinitionName"]
