"""The alias `live` of a Lambda function: which version answers, which one did before, and who deploys.

Its description holds what Lambda has no field for. Each change names the revision of the alias that was
read before it, so that of two deployments at once one is refused.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lightmodel.delivery.aws_account import Client, translate_aws_errors
from lightmodel.errors import AlreadyRunning, LightModelError

logger = logging.getLogger(__name__)

LIVE = "live"
LEASE_S = 120.0
_DESCRIPTION = re.compile(
    r"light-model: (?P<previous>\d+|none) was before it"
    r"(?:; deployment (?P<owner>\w+) until (?P<until>\S+))?"
)


@dataclass(frozen=True)
class AliasState:
    """What the alias says.

    Attributes:
        version: number of the version that answers.
        arn: the alias' own.
        revision: changes with each change of the alias.
        previous: number of the version that answered before, "" for none.
        shares: versions that are being watched, with their shares of the invocations.
        owner: the deployment that is under way, "" for none.
        until: Unix time until which it is, unless it is renewed.
    """

    version: str
    arn: str
    revision: str
    previous: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    owner: str = ""
    until: float = 0.0

    @property
    def is_claimed(self) -> bool:
        """Whether a deployment is under way."""
        return bool(self.owner) and time.time() < self.until

    @property
    def is_abandoned(self) -> bool:
        """Whether a deployment was killed."""
        return bool(self.owner) and not self.is_claimed


@dataclass(frozen=True)
class LiveAlias:
    """The alias of one function."""

    functions: Client
    function: str

    def read(self) -> AliasState | None:
        """Return the state of the alias; None if there is none."""
        try:
            return _state_of(self.functions.get_alias(FunctionName=self.function, Name=LIVE))
        except self.functions.exceptions.ResourceNotFoundException:
            return None

    def create(self, version: str) -> AliasState:
        """Create the alias."""
        state = AliasState(version, "", "")
        return _state_of(self.functions.create_alias(Name=LIVE, **self._content(state)))

    def write(self, state: AliasState) -> AliasState:
        """Change the alias, if it is still of the state's revision; return the new state.

        Raises:
            AlreadyRunning: it is not.
        """
        try:
            written = self.functions.update_alias(
                Name=LIVE,
                RoutingConfig={"AdditionalVersionWeights": dict(state.shares)},
                RevisionId=state.revision,
                **self._content(state),
            )
        except self.functions.exceptions.PreconditionFailedException:
            raise AlreadyRunning(
                f"something else has changed the alias {LIVE} of {self.function} meanwhile",
                hint="another deployment is under way; wait for it",
            ) from None
        return _state_of(written)

    def _content(self, state: AliasState) -> dict[str, str]:
        return {
            "FunctionName": self.function,
            "FunctionVersion": state.version,
            "Description": _describe(state),
        }

    def end(self, state: AliasState) -> AliasState:
        """Let the alias name one version alone, and end the deployment that is under way."""
        return self.write(replace(state, shares={}, owner="", until=0.0))

    @contextmanager
    def claim(self, state: AliasState) -> "Iterator[Claim]":
        """Claim the alias for a deployment; at the end, no version has a share any longer.

        Raises:
            AlreadyRunning: another deployment is under way.
        """
        if state.is_claimed:
            left = state.until - time.time()
            raise AlreadyRunning(
                f"another deployment of {self.function} is under way",
                hint=f"wait for it; if it was killed, it ends by itself in {left:.0f} s",
            )
        if state.is_abandoned:
            logger.warning("an earlier deployment was killed; %s answers alone", state.version)
        claim = Claim(self, replace(state, shares={}, owner=secrets.token_hex(4)))
        claim.renew()
        try:
            yield claim
        finally:
            claim.end()


@dataclass
class Claim:
    """The right of a deployment to change the alias, which expires unless it is renewed."""

    alias: LiveAlias
    state: AliasState

    def renew(self) -> None:
        """Renew the claim when half of its time is over.

        Raises:
            AlreadyRunning: it had expired, and another deployment has the alias now.
        """
        if self.state.until - time.time() < LEASE_S / 2:
            self._write(self.state)

    def share(self, version: str, share: float) -> None:
        """Let a version have a share of the invocations."""
        self._write(replace(self.state, shares={version: share}))

    def move(self, version: str) -> None:
        """Let a version answer alone."""
        previous = self.state.version if self.state.version.isdigit() else ""
        self._write(replace(self.state, version=version, previous=previous, shares={}))

    def end(self) -> None:
        """End the claim and the share that a version may have; a failure of this is only logged."""
        try:
            with translate_aws_errors(f"cannot restore the alias {LIVE}"):
                state = self.alias.read()  # a change whose answer got lost counts too
                if state is None or state.owner != self.state.owner:
                    logger.warning("another deployment has taken over the alias %s", LIVE)
                    return
                self.alias.end(state)
        except LightModelError as error:
            logger.warning("%s; `monitor --aws` or the next deployment does it", error.message)

    def _write(self, state: AliasState) -> None:
        self.state = self.alias.write(replace(state, until=time.time() + LEASE_S))


def _describe(state: AliasState) -> str:
    text = f"light-model: {state.previous or 'none'} was before it"
    if not state.owner:
        return text
    until = datetime.fromtimestamp(state.until, UTC).isoformat()
    return f"{text}; deployment {state.owner} until {until}"


def _state_of(answer: Mapping[str, Any]) -> AliasState:
    routing = answer.get("RoutingConfig") or {}
    state = AliasState(
        str(answer["FunctionVersion"]),
        str(answer["AliasArn"]),
        str(answer.get("RevisionId", "")),
        shares=routing.get("AdditionalVersionWeights") or {},
    )
    known = _DESCRIPTION.fullmatch(answer.get("Description") or "")
    if known is None:  # made by something else
        return state
    previous = "" if known["previous"] == "none" else known["previous"]
    if not known["owner"]:
        return replace(state, previous=previous)
    until = datetime.fromisoformat(known["until"]).timestamp()
    return replace(state, previous=previous, owner=known["owner"], until=until)
