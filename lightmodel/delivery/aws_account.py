"""AWS: clients of its services, its errors as those of this project, and its container registry."""

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lightmodel.config import AwsSection
from lightmodel.delivery import engine
from lightmodel.delivery.engine import translate_docker_errors
from lightmodel.errors import (
    AlreadyRunning,
    ConfigError,
    DeployFailed,
    LightModelError,
    SourceUnavailable,
)

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

Client = Any
"""A client of botocore, which has no types."""

_READ_TIMEOUT_S = 120  # the first invocation of a version loads its image
_LOGIN = (
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role is given"
)
_RIGHTS = "docs/guide/aws-deploy.md lists the rights that a deployment needs"
_REJECTED = frozenset(
    {
        *("UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException"),
        *("SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken"),
        *("ExpiredToken", "ExpiredTokenException", "AuthFailure", "InvalidAccessKeyId"),
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_BUSY = frozenset({"PreconditionFailedException", "ResourceConflictException"})
_TRANSIENT = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)


@dataclass(frozen=True)
class AwsAccount:
    """The clients of one account and region."""

    settings: AwsSection
    registry: Client
    functions: Client
    metrics: Client
    hosts: Client

    @property
    def region(self) -> str:
        """The region of all clients."""
        return str(self.registry.meta.region_name)

    @cached_property
    def repository(self) -> str:
        """The address of the repository: registry and name.

        Raises:
            ConfigError: there is none.
        """
        name = self.settings.repository
        try:
            found = self.registry.describe_repositories(repositoryNames=[name])
        except self.registry.exceptions.RepositoryNotFoundException:
            raise ConfigError(
                f"there is no repository {name} of ECR in {self.region}",
                hint="deploy/aws makes it, or `aws ecr create-repository`; aws.repository names it",
            ) from None
        return str(found["repositories"][0]["repositoryUri"])

    def find_image(self, image: "Image") -> str:
        """Return the reference, by digest, of an image that was pushed before; "" if it was not."""
        name, tag = self.settings.repository, engine.tag_of(image)
        try:
            found = self.registry.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
        except self.registry.exceptions.ImageNotFoundException:
            return ""
        return f"{self.repository}@{found['imageDetails'][0]['imageDigest']}"

    def push(self, client: "DockerClient", image: "Image") -> str:
        """Push an image of an engine if the repository lacks it; return its reference by digest.

        Raises:
            DeployFailed: the registry rejects the image.
        """
        if reference := self.find_image(image):
            logger.info("%s is there already", reference)
            return reference
        reference = engine.push(client, image, self.repository, self.login())
        logger.info("pushed %s", reference)
        return reference

    def login(self) -> dict[str, str]:
        """Return a login for the registry, which is valid for twelve hours."""
        (given,) = self.registry.get_authorization_token()["authorizationData"]
        text = base64.b64decode(given["authorizationToken"]).decode()
        user, _, password = text.partition(":")
        return {"username": user, "password": password}


def open_account(settings: AwsSection) -> AwsAccount:
    """Create the clients, which connect at their first call.

    Raises:
        ConfigError: the library or the region is missing, or the profile does not exist.
    """
    try:
        import botocore.session  # the half of boto3 that is needed
        from botocore.config import Config
    except ModuleNotFoundError:
        raise ConfigError(
            "deploying to AWS needs botocore, which is not installed",
            hint="pip install -r requirements/deploy-aws.txt",
        ) from None
    logging.getLogger("botocore").setLevel(logging.WARNING)  # it says where it found credentials
    options = Config(
        connect_timeout=10,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    with translate_aws_errors("AWS cannot be used"):
        session = botocore.session.get_session()
        region = settings.region or None
        clients = [
            session.create_client(service, region_name=region, config=options)
            for service in ("ecr", "lambda", "cloudwatch", "ssm")
        ]
    return AwsAccount(settings, *clients)


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Translate errors of AWS and of the Docker engine; see `translate_aws_errors`."""
    with translate_docker_errors(what), translate_aws_errors(what):
        yield


@contextmanager
def translate_aws_errors(what: str) -> Iterator[None]:
    """Translate errors of botocore.

    Raises:
        ConfigError: AWS rejects the credentials, or denies permission.
        SourceUnavailable: AWS does not answer, fails, or limits the rate.
        AlreadyRunning: something else changes the same resource.
        DeployFailed: AWS rejects the request.
    """
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(what, error.response) from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        raise SourceUnavailable(
            f"{what}: AWS does not answer: {type(error).__name__}",
            hint="check the network, and AWS_ENDPOINT_URL if it is set",
        ) from error
    except exceptions.NoRegionError:
        raise ConfigError(
            f"{what}: no region is set", hint="set aws.region, or AWS_DEFAULT_REGION"
        ) from None
    except exceptions.BotoCoreError as error:  # no credentials, no such profile, an ended session
        raise ConfigError(f"{what}: {error}", hint=_LOGIN) from None


def _refused(what: str, response: dict[str, Any]) -> LightModelError:
    code = str(response["Error"].get("Code", ""))
    reason = f"{what}: AWS answers {code}: {response['Error'].get('Message', '')}"
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _REJECTED:
        return ConfigError(f"{what}: AWS rejects the credentials: {code}", hint=_LOGIN)
    if code in _DENIED:
        return ConfigError(reason, hint=_RIGHTS)
    if code in _BUSY:
        return AlreadyRunning(reason, hint="another deployment is under way; try again later")
    if code in _TRANSIENT or status >= 500:
        return SourceUnavailable(reason, hint="try again later")
    return DeployFailed(reason)
