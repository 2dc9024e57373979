"""Invocations of one version of a Lambda function, and whether it can be invoked."""

import json
from typing import Any

from lightmodel.delivery.aws_account import Client
from lightmodel.delivery.smoke_test import check_sample_answers, sample_request
from lightmodel.errors import DeployFailed
from lightmodel.store.manifest import Manifest

_MAX_QUOTED = 300


def is_ready(functions: Client, function: str, version: str) -> bool:
    """Return whether a version can be invoked.

    Raises:
        DeployFailed: Lambda has given it up.
    """
    found = functions.get_function_configuration(FunctionName=function, Qualifier=version)
    states = {name: found.get(name) for name in ("State", "LastUpdateStatus")}
    for name, state in states.items():
        if state == "Failed":
            reason = found.get(f"{name}Reason", "")
            raise DeployFailed(f"Lambda cannot use the image of version {version}: {reason}")
    # An inactive version was not invoked for weeks; the next invocation makes it active.
    update = states["LastUpdateStatus"] in {None, "Successful"}
    return states["State"] in {"Active", "Inactive"} and update


def invoke(functions: Client, function: str, version: str, event: object) -> Any:  # noqa: ANN401 — any JSON value
    """Return the answer of a version, or of an alias, to an event.

    Raises:
        DeployFailed: the function has failed.
    """
    payload = event if isinstance(event, bytes) else json.dumps(event).encode()
    answer = functions.invoke(FunctionName=function, Qualifier=version, Payload=payload)
    content = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        kind, reason = (content.get(name, "") for name in ("errorType", "errorMessage"))
        raise DeployFailed(
            f"version {version} of {function} fails: {kind} {reason[:_MAX_QUOTED]}".rstrip(),
            hint=f"CloudWatch's log group /aws/lambda/{function} says more",
        )
    return content


def smoke_test_version(functions: Client, function: str, version: str, manifest: Manifest) -> None:
    """Compare a version's answers to the model's sample rows with the stored scores.

    Raises:
        DeployFailed: it has failed, serves another model, or its scores differ.
    """
    answer = invoke(functions, function, version, sample_request(manifest.samples))
    served = answer.get("model_version") if isinstance(answer, dict) else None
    if served != manifest.version:
        raise DeployFailed(
            f"version {version} of {function} answers by {served or 'no model'} instead of "
            f"{manifest.version}"
        )
    check_sample_answers(answer.get("predictions"), manifest.samples, manifest.task or {})
