"""What a section of `clusters.toml` for the Spark operator holds.

::

    [spark]
    kind = "spark"
    context = "prod"
    namespace = "spark"
    default_image = "registry.example.org/spark-py:3.5.3"
    spark_version = "3.5.3"
    service_account = "spark"              # may make and delete pods
    claim = "atoll-share"
    share = "/mnt/atoll"
"""

from typing import Literal

from pydantic import Field

from common.submission.runners.kubernetes.config import KubernetesBase
from common.submission.spec import Line, Word


class SparkConfig(KubernetesBase):
    """SparkApplications.

    Parameters
    ----------
    spark_version : of the image, for applications that name none.
    conf : `spark.*` settings of all applications; an application's own come on top.
    listener_prefix : what the names of a listener's properties begin with.
    """

    kind: Literal["spark"] = "spark"
    spark_version: Word = "3.5.3"
    conf: dict[Word, Line] = Field(default_factory=dict)
    listener_prefix: Word = "spark.customExtraListener."
    # Spark's images have a user of their own.
    user_id: int = Field(185, ge=0, le=2**31 - 1)
    group_id: int = Field(185, ge=0, le=2**31 - 1)
