"""The part of AWS that `deploy aws` uses: Lambda and Systems Manager; ECR and CloudWatch are moto's.

moto's Lambda would not do: its versions share one image, and it ignores the revisions of an alias. Here a
version runs its image by `run`, and Systems Manager runs commands on this machine.
"""

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import requests

from benchmarks.lambda_runtime import Answer
from tests.fakes.clouds import aws_environment, client_of
from tests.fakes.loopback import serving

FUNCTION, REPOSITORY, INSTANCE = "light-model", "light-model", "i-0123456789abcdef0"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:{FUNCTION}"
Reply = tuple[int, Any, dict[str, str]]


class Refused(Exception):
    """An error of AWS: its status, code and message."""


@dataclass
class Function:
    """The Lambda function, with its published versions and the alias.

    Attributes:
        configuration: of $LATEST, with the image.
        versions: configurations by number.
        alias: as it is answered; None before it is created.
    """

    configuration: dict[str, Any]
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)
    alias: dict[str, Any] | None = None

    def of(self, qualifier: str) -> dict[str, Any]:
        if self.alias and qualifier == self.alias["Name"]:
            qualifier = self.alias["FunctionVersion"]
        found = self.configuration if qualifier == "$LATEST" else self.versions.get(qualifier)
        if found is None:
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {qualifier}")
        return found


@dataclass
class Aws:
    """One account of the fake AWS.

    Attributes:
        moto: address of moto's server.
        registry: host and port that repositories have.
        run: answers an event by an image.
        digest_of: the digest of a tag of the repository, "" for none.
        functions: by name.
        changes: names of the operations that changed a function or an alias.
        denied: operations that are not permitted.
        on_invoke: called with the qualifier of each invocation before it is answered.
        instances: what Systems Manager knows, as it answers.
        commands: results of commands by id.
        is_clean: whether moto's server has a repository and no metrics.
        is_slow: whether a new image is pending when its state is asked for the first time.
    """

    moto: str
    registry: str
    run: Callable[[str, Any], Answer]
    digest_of: Callable[[str], str]
    functions: dict[str, Function] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    on_invoke: Callable[[str], None] = lambda _: None
    instances: list[dict[str, str]] = field(default_factory=list)
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    url: str = ""
    is_clean: bool = False
    is_slow: bool = False
    _revisions: Iterator[int] = field(default_factory=lambda: count(1))
    _asked: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def environment(self) -> dict[str, str]:
        return aws_environment(self.url)

    @property
    def function(self) -> Function:
        return self.functions[FUNCTION]

    def reset(self) -> None:
        """Begin anew with the function, a repository and no metrics."""
        if not self.is_clean:
            requests.post(f"{self.moto}/moto-api/reset", timeout=60).raise_for_status()
            with closing(client_of("ecr", self.moto)) as client:
                client.create_repository(repositoryName=REPOSITORY)
        self.is_clean, self.is_slow = True, False
        self.create_function()
        self.commands.clear()
        self.changes.clear()
        self.denied.clear()
        self.on_invoke = lambda _: None

    def create_function(self, image: str = "bootstrap", **more: Any) -> None:
        """Create the function as Terraform would, without the alias."""
        configuration = {
            "PackageType": "Image",
            "Architectures": ["x86_64"],
            "MemorySize": 1024,
            "Environment": {"Variables": {"TEST_RUN": "true"}},
            "Image": image,
        }
        self.functions[FUNCTION] = Function({**configuration, **more})

    def running(self) -> str:
        """Return the image of the version that the alias names, "" if there is none."""
        function = self.function
        return str(function.of("live")["Image"]) if function.alias else ""

    def version(self) -> str:
        """Return the version of the model that answers behind the alias."""
        ready = {"rawPath": "/ready", "requestContext": {"http": {"method": "GET"}}}
        answer = self.run(self.running(), ready)
        return str(json.loads(answer.content["body"])["version"])

    def shares(self) -> dict[str, float]:
        """Return the shares of other versions than that one."""
        alias = self.function.alias
        return dict((alias or {}).get("RoutingConfig", {}).get("AdditionalVersionWeights", {}))

    def let_claims_expire(self) -> None:
        """Set back the time until which a deployment has claimed the alias."""
        alias = self.function.alias
        assert alias
        past = "until 2026-01-01T00:00:00+00:00"
        alias["Description"] = re.sub(r"until \S+", past, alias["Description"])

    def count(self, version: str, invocations: int, errors: int) -> None:
        """Let CloudWatch have metrics of a version behind the alias."""
        self.is_clean = False
        dimensions = {"FunctionName": FUNCTION, "Resource": f"{FUNCTION}:live"}
        dimensions["ExecutedVersion"] = version
        named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
        data = [
            {
                "MetricName": name,
                "Dimensions": named,
                "Value": value,
                "Timestamp": datetime.now(UTC),
            }
            for name, value in (("Invocations", invocations), ("Errors", errors))
        ]
        with closing(client_of("cloudwatch", self.moto)) as client:
            client.put_metric_data(Namespace="AWS/Lambda", MetricData=data)

    # --- Lambda

    def lambda_(self, operation: str, name: str, rest: str, query: str, body: bytes) -> Reply:
        function = self.functions.get(name)
        if function is None:
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {name}")
        qualifier = query or "$LATEST"
        content = json.loads(body or b"{}")
        match operation:
            case "GetFunction":
                found = function.of(qualifier)
                return 200, {"Configuration": found, "Code": {"ImageUri": found["Image"]}}, {}
            case "GetFunctionConfiguration":
                return 200, self._configuration(function, qualifier), {}
            case "Invoke":
                return self._invoke(function, qualifier, content)
            case "GetAlias":
                if function.alias is None:
                    raise Refused(404, "ResourceNotFoundException", f"Cannot find alias {rest}")
                return 200, function.alias, {}
        with self._lock:
            self.changes.append(operation)
            change = {
                "UpdateFunctionCode": self._update_function_code,
                "PublishVersion": self._publish_version,
                "CreateAlias": self._create_alias,
                "UpdateAlias": self._update_alias,
            }[operation]
            return 200, change(function, content), {}

    def _configuration(self, function: Function, qualifier: str) -> dict[str, Any]:
        asked = (qualifier, function.of(qualifier)["Image"])
        is_new = self.is_slow and asked not in self._asked
        self._asked.add(asked)
        state = "Pending" if is_new else "Active"
        return {**function.of(qualifier), "State": state, "LastUpdateStatus": "Successful"}

    def _update_function_code(self, function: Function, content: dict[str, Any]) -> dict[str, Any]:
        image = content["ImageUri"]
        if "@sha256:" not in image:
            raise Refused(400, "InvalidParameterValueException", f"{image} does not exist")
        function.configuration["Image"] = image
        return function.configuration

    def _publish_version(self, function: Function, _: dict[str, Any]) -> dict[str, Any]:
        newest = str(len(function.versions))
        if function.versions.get(newest) != function.configuration:  # else Lambda publishes nothing
            newest = str(len(function.versions) + 1)
            function.versions[newest] = {**function.configuration}
        return {**function.configuration, "Version": newest}

    def _create_alias(self, function: Function, content: dict[str, Any]) -> dict[str, Any]:
        if function.alias:
            raise Refused(409, "ResourceConflictException", "Alias already exists")
        function.alias = {"AliasArn": f"{ARN}:{content['Name']}"}
        return self._write_alias(function.alias, content)

    def _update_alias(self, function: Function, content: dict[str, Any]) -> dict[str, Any]:
        alias = function.alias
        assert alias
        if content.pop("RevisionId", alias["RevisionId"]) != alias["RevisionId"]:
            raise Refused(412, "PreconditionFailedException", "The Revision Id provided is old")
        version = content.get("FunctionVersion", alias["FunctionVersion"])
        weights = content.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        if weights and "$LATEST" in {version, *weights}:
            message = "$LATEST is not supported for an alias pointing to more than 1 version"
            raise Refused(400, "InvalidParameterValueException", message)
        for one in (version, *weights):
            function.of(one)
        return self._write_alias(alias, content)

    def _write_alias(self, alias: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
        alias |= {**content, "RevisionId": f"revision-{next(self._revisions)}"}
        return alias

    def _invoke(self, function: Function, qualifier: str, event: object) -> Reply:
        self.on_invoke(qualifier)
        answer = self.run(function.of(qualifier)["Image"], event)
        failed = {} if answer.kind == "response" else {"X-Amz-Function-Error": "Unhandled"}
        return 200, answer.content, failed

    # --- Systems Manager

    def ssm(self, operation: str, content: dict[str, Any]) -> Reply:
        if operation == "DescribeInstanceInformation":
            (wanted,) = content["Filters"]
            key = {"InstanceIds": "InstanceId"}.get(wanted["Key"], wanted["Key"])
            found = [one for one in self.instances if one.get(key) in wanted["Values"]]
            return 200, {"InstanceInformationList": found}, {}
        if operation == "SendCommand":
            identity = str(uuid4())
            self.commands[identity] = {"Status": "InProgress", "ResponseCode": -1}
            (script,) = content["Parameters"]["commands"]
            threading.Thread(target=self._execute, args=(identity, script), daemon=True).start()
            return 200, {"Command": {"CommandId": identity}}, {}
        return 200, self.commands[content["CommandId"]], {}

    def _execute(self, identity: str, script: str) -> None:
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, check=False, env=os.environ
        )
        self.commands[identity] = {
            "Status": "Failed" if done.returncode else "Success",
            "ResponseCode": done.returncode,
            "StandardOutputContent": done.stdout[:24000],
            "StandardErrorContent": done.stderr[:8000],
            "Script": script,
        }

    # --- ECR, as far as its registry is another than moto's

    def describe_images(self, content: dict[str, Any]) -> Reply:
        (wanted,) = content["imageIds"]
        digest = self.digest_of(wanted["imageTag"])
        if not digest:
            raise Refused(400, "ImageNotFoundException", "The image does not exist")
        return 200, {"imageDetails": [{"imageDigest": digest}]}, {}


def digests_at(registry: str) -> Callable[[str], str]:
    """Return what asks a container registry for the digest of a tag of the repository."""

    def digest_of(tag: str) -> str:
        url = f"http://{registry}/v2/{REPOSITORY}/manifests/{tag}"
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        answer = requests.head(url, headers={"Accept": kind}, timeout=60)
        return answer.headers["Docker-Content-Digest"] if answer.ok else ""

    return digest_of


_PATHS = {
    ("GET", ""): "GetFunction",
    ("GET", "configuration"): "GetFunctionConfiguration",
    ("PUT", "code"): "UpdateFunctionCode",
    ("POST", "versions"): "PublishVersion",
    ("POST", "aliases"): "CreateAlias",
    ("GET", "aliases/live"): "GetAlias",
    ("PUT", "aliases/live"): "UpdateAlias",
    ("POST", "invocations"): "Invoke",
}


def _answer(aws: Aws, asked: BaseHTTPRequestHandler, body: bytes) -> Reply:
    service, _, operation = asked.headers.get("X-Amz-Target", "").rpartition(".")
    url = urlsplit(asked.path)
    function = re.fullmatch(r"/2015-03-31/functions/([^/]+)/?(.*)", url.path)
    if function:
        operation = _PATHS[asked.command, function[2]]
    operation = operation or url.path.rpartition("/")[2]  # CloudWatch has its own way
    if operation in aws.denied:
        raise Refused(403, "AccessDeniedException", f"not authorized: {operation}")
    if function:
        query = parse_qs(url.query).get("Qualifier", [""])[0]
        return aws.lambda_(operation, unquote(function[1]), function[2], query, body)
    if service == "AmazonSSM":
        return aws.ssm(operation, json.loads(body))
    if operation == "DescribeImages":
        return aws.describe_images(json.loads(body))
    return _ask_moto(aws, asked, body)


def _ask_moto(aws: Aws, asked: BaseHTTPRequestHandler, body: bytes) -> Reply:
    headers = dict(asked.headers)
    given = requests.request(
        asked.command, aws.moto + asked.path, data=body, headers=headers, timeout=60
    )
    content = re.sub(rb"\d+\.dkr\.ecr\.[\w.-]+\.com", aws.registry.encode(), given.content)
    kept = {"Content-Type", "smithy-protocol", "x-amzn-RequestId", "x-amzn-errortype"}
    return given.status_code, content, {k: v for k, v in given.headers.items() if k in kept}


def _front(aws: Aws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _served(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, content, headers = _answer(aws, self, body)
            except Refused as error:
                status, code, message = error.args
                content = {"__type": code, "message": message, "Message": message}
                headers = {"x-amzn-ErrorType": code}
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = _served  # noqa: N815 — the server's own names

    return Handler


@contextmanager
def aws(
    moto: str, registry: str, run: Callable[[str, Any], Answer], digest_of: Callable[[str], str]
) -> Iterator[Aws]:
    """Yield an account with a repository of ECR, and the function without an alias."""
    state = Aws(moto, registry, run, digest_of)
    state.reset()
    with serving(_front(state)) as url:
        state.url = url
        yield state
