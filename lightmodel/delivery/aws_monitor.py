"""The Lambda function as the monitor sees it: what a killed deployment left, and whether it answers."""

import logging
from dataclasses import dataclass

from lightmodel.delivery.aws_account import AwsAccount, translate_aws_errors
from lightmodel.delivery.aws_alias import LIVE, LiveAlias
from lightmodel.delivery.aws_invocation import invoke
from lightmodel.delivery.smoke_test import OK
from lightmodel.errors import DeployFailed

logger = logging.getLogger(__name__)

_READY = {"rawPath": "/ready", "requestContext": {"http": {"method": "GET"}}}


@dataclass(frozen=True)
class MonitoredFunction:
    """The function behind the alias `live`; see `MonitoredService`."""

    account: AwsAccount

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.account.settings.function

    @property
    def _alias(self) -> LiveAlias:
        return LiveAlias(self.account.functions, self.name)

    def end_abandoned(self) -> str:
        """Undo a deployment that was killed; return how, "" if there is none."""
        with translate_aws_errors("cannot end a killed deployment"):
            state = self._alias.read()
            if state is None or not state.is_abandoned:
                return ""
            self._alias.end(state)
        done = f"a deployment was killed; version {state.version} of {self.name} answers alone"
        logger.warning("%s", done)
        return done

    def is_locked(self) -> bool:
        """Return whether a deployment is under way."""
        with translate_aws_errors("cannot read the alias"):
            state = self._alias.read()
        return state is not None and state.is_claimed

    def check(self) -> str:
        """Return why the function does not answer; "" if it does."""
        with translate_aws_errors("cannot invoke the function"):
            if self._alias.read() is None:
                return f"there is no alias {LIVE} of a function {self.name}"
            try:
                answer = invoke(self.account.functions, self.name, LIVE, _READY)
            except DeployFailed as error:
                return error.message
        status = answer.get("statusCode") if isinstance(answer, dict) else None
        return "" if status == OK else f"{self.name} is not ready: /ready answers {status}"

    def restart(self) -> None:
        """Raise an error that says what helps, as Lambda starts functions itself.

        Raises:
            DeployFailed: always.
        """
        raise DeployFailed(
            "Lambda starts functions itself; `python -m lightmodel deploy aws --rollback` brings the "
            "previous version back"
        )
