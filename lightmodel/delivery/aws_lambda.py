"""Deploy to AWS Lambda: publish a version, smoke-test it, watch it with a share, move the alias `live`."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lightmodel.delivery.aws_account import AwsAccount, translate_errors
from lightmodel.delivery.aws_alias import LIVE, AliasState, Claim, LiveAlias
from lightmodel.delivery.aws_invocation import is_ready, smoke_test_version
from lightmodel.delivery.aws_metrics import Counts, counts_of
from lightmodel.delivery.base import DeploymentResult
from lightmodel.delivery.engine import image_of, manifest_of
from lightmodel.errors import ArtefactMissing, ConfigError, DeployFailed
from lightmodel.interruption import raise_if_interrupted
from lightmodel.store.manifest import Manifest

if TYPE_CHECKING:  # imported when an engine is needed
    from docker import DockerClient
    from docker.models.images import Image

logger = logging.getLogger(__name__)

IMAGE = "light-model-lambda"
_BUILD = "`docker build --target lambda -t light-model-lambda .` makes one"
_LATEST = "$LATEST"
_POLL_S, _START_POLL_S = 5.0, 1.0
_MACHINES = {"amd64": "x86_64", "arm64": "arm64"}  # names of Docker, of Lambda
# What a published version has taken over from the function's configuration.
_FROZEN = ("Environment", "MemorySize", "Timeout", "Role", "EphemeralStorage", "VpcConfig")


@dataclass(frozen=True)
class LambdaDeployment:
    """One Lambda function, deployed from a Docker engine; see `Deployment`."""

    account: AwsAccount
    client: "DockerClient"

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.account.settings.function

    @property
    def _alias(self) -> LiveAlias:
        return LiveAlias(self.account.functions, self.name)

    def plan(self, image: str) -> list[str]:
        """Return what `deploy` would do; see `Deployment`."""
        with translate_errors("cannot make a plan"):
            resolved, manifest = self._image(image)
            live = self._alias.read()
            reference = self.account.find_image(resolved)
            if live and reference and self._is_live(live, reference):
                return [f"{image} ({manifest.version}) is live already: check it, change nothing"]
            repository = self.account.repository
        what = f"{reference} is there already" if reference else f"push {image} to {repository}"
        return [
            f"{what} ({manifest.version})",
            f"publish it as a version of {self.name}",
            f"compare its answers to {len(manifest.samples)} sample rows with its manifest",
            *self._shift_plan(live),
        ]

    def _shift_plan(self, live: AliasState | None) -> list[str]:
        if live is None:
            return [f"create the alias {LIVE} for it"]
        aws = self.account.settings
        return [
            f"give it {aws.shift:.0%} of the invocations of {LIVE}, and watch it for {aws.watch_s:g} s",
            f"move {LIVE} from version {live.version} to it",
        ]

    def deploy(self, image: str) -> DeploymentResult:
        """Deploy an image; see `Deployment`."""
        with translate_errors(f"cannot deploy {image}"):
            resolved, manifest = self._image(image)
            reference = self.account.push(self.client, resolved)
            live = self._alias.read()
            if live is None:
                version = self._publish(reference, manifest)
                self._smoke_test(version, manifest)
                live = self._alias.create(version)
            elif self._is_live(live, reference):
                self._smoke_test(live.version, manifest)
                return DeploymentResult(reference, manifest.version, live.arn, changed=False)
            else:
                with self._alias.claim(live) as claim:
                    self._replace(claim, reference, manifest)
        logger.info("the alias %s names a version with %s", LIVE, manifest.version)
        return DeploymentResult(reference, manifest.version, live.arn, changed=True)

    def plan_rollback(self) -> list[str]:
        """Return what `rollback` would do; see `Deployment`."""
        with translate_errors("cannot make a plan"):
            live = self._live_with_previous()
            reference = self._image_uri(live.previous)
        return [
            f"invoke version {live.previous}, which is {reference}",
            "compare its answers to the sample rows with its manifest",
            f"move {LIVE} from version {live.version} to it",
        ]

    def rollback(self) -> DeploymentResult:
        """Let the previous version answer again, at once; see `Deployment`."""
        with translate_errors("cannot roll back"):
            live = self._live_with_previous()
            reference = self._image_uri(live.previous)
            self.client.images.pull(reference, auth_config=self.account.login())
            manifest = manifest_of(self.client, reference)
            with self._alias.claim(live) as claim:
                self._smoke_test(live.previous, manifest)
                claim.move(live.previous)
        return DeploymentResult(reference, manifest.version, live.arn, changed=True)

    def _live_with_previous(self) -> AliasState:
        live = self._alias.read()
        if live is None or not live.previous:
            raise ArtefactMissing(
                f"{self.name} has no previous version",
                hint="`python -m lightmodel deploy aws --image IMAGE` deploys any image",
            )
        return live

    def _image(self, image: str) -> tuple["Image", Manifest]:
        """Return an image that the function can run, and the manifest of its model.

        Raises:
            ConfigError: it is missing, made for something else than Lambda, or for another processor.
        """
        resolved = image_of(self.client, image, _BUILD)
        if resolved.labels.get("light-model.service") != "lambda":
            raise ConfigError(f"{image} is no image for Lambda", hint=_BUILD)
        manifest = manifest_of(self.client, str(resolved.id))
        configuration = self._function()["Configuration"]
        if configuration.get("PackageType") != "Image":
            raise ConfigError(
                f"the Lambda function {self.name} takes a zip file and no image",
                hint="whether it does cannot be changed: make another function (deploy/aws does)",
            )
        (wanted,) = configuration["Architectures"]
        machine = resolved.attrs["Architecture"]
        if _MACHINES.get(machine) != wanted:
            docker = {lambdas: name for name, lambdas in _MACHINES.items()}.get(wanted, wanted)
            raise ConfigError(
                f"{image} is made for {machine}, and the function runs on {wanted}",
                hint=f"`docker build --platform linux/{docker} --target lambda …`",
            )
        return resolved, manifest

    def _function(self, qualifier: str = _LATEST) -> dict[str, Any]:
        functions = self.account.functions
        try:
            found: dict[str, Any] = functions.get_function(
                FunctionName=self.name, Qualifier=qualifier
            )
        except functions.exceptions.ResourceNotFoundException:
            version = "" if qualifier == _LATEST else f"version {qualifier} of "
            raise ConfigError(
                f"there is no {version}Lambda function {self.name} in {self.account.region}",
                hint="deploy/aws makes it; aws.function and aws.region name it",
            ) from None
        return found

    def _image_uri(self, version: str) -> str:
        return str(self._function(version)["Code"].get("ImageUri", ""))

    def _is_live(self, live: AliasState, reference: str) -> bool:
        """Return whether all invocations get this image with the function's present configuration."""
        if live.shares or live.owner or live.version == _LATEST:
            return False
        version, latest = self._function(live.version), self._function()
        return version["Code"].get("ImageUri") == reference and all(
            version["Configuration"].get(name) == latest["Configuration"].get(name)
            for name in _FROZEN
        )

    def _replace(self, claim: Claim, reference: str, manifest: Manifest) -> None:
        """Replace the live version: publish, smoke-test, watch with a share, move.

        Raises:
            DeployFailed: the new version does not start, answers wrongly, or fails more often.
        """
        if claim.state.version == _LATEST:  # it would answer with the new code at once
            claim.move(self._publish_latest("what answered before"))
        old = claim.state.version
        new = self._publish(reference, manifest, claim.renew)
        self._smoke_test(new, manifest)
        if new == old:
            return
        since = datetime.now(UTC)
        self._check_errors(new, old, since)  # whether the metrics may be read, before they matter
        logger.info("version %s passed its smoke test and gets its share", new)
        try:
            claim.share(new, self.account.settings.shift)
            self._watch(claim, new, manifest, since)
        except BaseException:
            logger.warning("version %s loses its share; version %s answers alone", new, old)
            raise
        claim.move(new)

    def _publish(
        self, reference: str, manifest: Manifest, renew: Callable[[], None] = lambda: None
    ) -> str:
        """Return the number of a version with this image, once it can be invoked."""
        functions = self.account.functions
        try:
            functions.update_function_code(FunctionName=self.name, ImageUri=reference)
        except functions.exceptions.InvalidParameterValueException as error:
            raise DeployFailed(
                f"Lambda does not take the image: {error.response['Error']['Message']}",
                hint="it wants one image of format Docker V2 or OCI, no list of images: "
                "`docker buildx build --provenance=false`; and must be allowed to pull it from ECR",
            ) from error
        self._wait_until_ready(_LATEST, renew)
        version = self._publish_latest(f"light-model {manifest.version}")
        self._wait_until_ready(version, renew)
        logger.info("version %s of %s is %s", version, self.name, manifest.version)
        return version

    def _publish_latest(self, description: str) -> str:
        """Return the number of a version that is as the function is now; a new one if there is none."""
        functions = self.account.functions
        published = functions.publish_version(FunctionName=self.name, Description=description)
        return str(published["Version"])

    def _wait_until_ready(self, version: str, renew: Callable[[], None]) -> None:
        seconds = self.account.settings.start_timeout_s
        ends = time.monotonic() + seconds
        while not is_ready(self.account.functions, self.name, version):
            raise_if_interrupted()
            renew()
            if time.monotonic() > ends:
                raise DeployFailed(
                    f"version {version} of {self.name} is not ready after {seconds:g} s",
                    hint="aws.start_timeout_s is the limit",
                )
            time.sleep(_START_POLL_S)

    def _smoke_test(self, version: str, manifest: Manifest) -> None:
        raise_if_interrupted()
        smoke_test_version(self.account.functions, self.name, version, manifest)

    def _watch(self, claim: Claim, new: str, manifest: Manifest, since: datetime) -> None:
        """Invoke the new version again and again, and compare its errors with those of the old one.

        Raises:
            DeployFailed: it answers wrongly, or fails more often than it may.
        """
        ends = time.monotonic() + self.account.settings.watch_s
        while True:
            claim.renew()
            self._smoke_test(new, manifest)
            self._check_errors(new, claim.state.version, since)
            left = ends - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _POLL_S))

    def _check_errors(self, new: str, old: str, since: datetime) -> None:
        counts = counts_of(self.account.metrics, self.name, (new, old), since)
        limit = counts[old].share + self.account.settings.max_error_share
        if counts[new].share > limit:
            raise DeployFailed(
                f"version {new} fails: {_quote(counts[new])}, and {_quote(counts[old])} of version {old}",
                hint=f"CloudWatch's log group /aws/lambda/{self.name} says why; aws.max_error_share "
                "is the limit",
            )


def _quote(counts: Counts) -> str:
    return f"{counts.errors:g} errors in {counts.invocations:g} invocations"
