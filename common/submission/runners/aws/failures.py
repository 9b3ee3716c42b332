"""What AWS says when something goes wrong, in Atoll's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from common.errors import AtollError
from common.submission.errors import ClusterDown, ClusterRefused
from common.submission.runners.objects.manifest import without_signatures

# Not now: asking again may help.
_BUSY = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ServerException",
        "ServiceUnavailable",
        "InternalError",
        "InternalFailure",
        "RequestTimeout",
    }
)
# Who Atoll is has to be mended, and then what waits goes on.
_UNKNOWN = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "InvalidToken",
        "OptInRequired",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"})
_SHOWN_CHARS = 300


def translate(code: str, message: str, status: int, action: str, *, asks: bool) -> AtollError:
    """The error for what a service answered. Pure.

    Parameters
    ----------
    action : what was being done, for people, e.g. `SubmitJob`.
    asks : whether something was asked for that can be refused; looking at tasks cannot, they wait until it works.
    """
    if code in _UNKNOWN:
        # Such messages quote what was sent; the code is enough.
        return ClusterDown(f"AWS does not accept the credentials ({code}); renew them, and what waits goes on")
    if code in _BUSY or status >= 500 or status == 429:
        return ClusterDown(f"AWS is busy at {action}: {code}")
    said = f"{code}: {' '.join(without_signatures(message).split())[:_SHOWN_CHARS]}"
    if code in _DENIED:
        said = f"the credentials may not {action} ({code}); allow it in their IAM policy"
    return ClusterRefused(f"AWS refuses {action}: {said}") if asks else ClusterDown(f"AWS at {action}: {said}")


@contextmanager
def reporting(action: str, *, asks: bool = False) -> Iterator[None]:
    """Turn boto3's errors into Atoll's."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
        TokenRetrievalError,
    )

    try:
        yield
    except ClientError as exc:
        error = exc.response.get("Error", {})
        status = int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        raise translate(str(error.get("Code", "?")), str(error.get("Message", "")), status, action, asks=asks) from None
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError) as exc:
        raise ClusterDown(
            f"there are no credentials for AWS ({type(exc).__name__}); set access_key and secret_key, or profile, or "
            "give the machine a role"
        ) from None
    except ProfileNotFound:
        raise ClusterDown("the profile of this cluster is not in the files of AWS") from None
    except (BotoCoreError, Boto3Error) as exc:
        # Not the text: it may hold a signed address.
        raise ClusterDown(f"AWS does not answer at {action}: {type(exc).__name__}") from None
