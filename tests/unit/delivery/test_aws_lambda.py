"""`deploy aws` to Lambda: shares, what ends them, and errors; the function runs in this process."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from benchmarks.lambda_runtime import Answer
from benchmarks.ports import free_port
from lightmodel.config import load
from lightmodel.delivery.aws_account import AwsAccount, open_account
from lightmodel.delivery.aws_alias import LiveAlias
from lightmodel.delivery.aws_lambda import LambdaDeployment
from lightmodel.delivery.aws_monitor import MonitoredFunction
from lightmodel.errors import (
    AlreadyRunning,
    ArtefactMissing,
    ConfigError,
    DeployFailed,
    LightModelError,
    SourceUnavailable,
)
from lightmodel.interruption import defer_signals
from lightmodel.lambda_function import LambdaFunction
from tests.fakes import clouds
from tests.fakes.aws import Aws, aws
from tests.fakes.engine import Engine, Image
from tests.fakes.project import Project
from tests.fakes.streams import config_of

pytestmark = pytest.mark.aws
CONTEXT = SimpleNamespace(aws_request_id="r1")
TOKEN = "123456789012-auth-token"  # moto's
Run = Callable[[Any], Any]


@dataclass
class Cloud:
    """An account, an engine with the images `first` and `second`, and a deployment from one to the other.

    Attributes:
        wrong: what an image does instead of answering by the model, by a part of its reference.
    """

    aws: Aws
    engine: Engine
    wrong: dict[str, Run]
    account: AwsAccount

    def deployment(self, *sets: str) -> LambdaDeployment:
        config = load(None, ["aws.watch_s=0", *sets], {}).config
        account = replace(self.account, settings=config.aws)  # clients take a while to make
        return LambdaDeployment(account, cast("DockerClient", self.engine))

    def monitor(self) -> MonitoredFunction:
        return MonitoredFunction(self.account)

    def fail(self, name: str, run: Run) -> None:
        """Let an image, once it is pushed, do something else than answer."""
        self.wrong[self.engine.known[name].digest] = run


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with clouds.moto() as address:
        yield address


@pytest.fixture(scope="module")
def function(trained_shop: Project) -> LambdaFunction:
    return LambdaFunction(config_of(trained_shop, "streams.test_run=true"))


@pytest.fixture(scope="module")
def everything(moto: str, function: LambdaFunction, trained_shop: Project) -> Iterator[Cloud]:
    (path,) = (trained_shop.folder / "model").glob("*/manifest.json")
    labels = {"light-model.service": "lambda"}
    first = Image(path.read_bytes(), labels)
    others = {name: replace(first, content=name) for name in ("second", "third")}
    engine = Engine({"first": first, **others})
    wrong: dict[str, Run] = {}

    def run(image: str, event: object) -> Answer:
        act = next((act for name, act in wrong.items() if name in image), None)
        try:
            return Answer("response", act(event) if act else function(event, CONTEXT))
        except (RuntimeError, LightModelError) as error:
            reason = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return Answer("error", reason)

    with (
        aws(moto, "registry.example", run, lambda tag: engine.pushed.get(tag, "")) as state,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in state.environment.items():
            patch.setenv(name, value)
        yield Cloud(state, engine, wrong, open_account(load(None, [], {}).config.aws))


@pytest.fixture
def cloud(everything: Cloud) -> Cloud:
    everything.aws.reset()
    everything.engine.clear()
    everything.wrong.clear()
    return everything


@pytest.fixture
def signals() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    defer_signals()
    yield
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGINT, before[1])


def fails(_: object) -> Any:
    raise RuntimeError("no memory")


def test_the_first_version_gets_the_alias_and_the_same_image_changes_nothing(cloud: Cloud) -> None:
    cloud.aws.is_slow = True
    first = cloud.deployment().deploy("first")
    assert first.changed
    assert first.address.endswith(":function:light-model:live")
    assert cloud.aws.running() == first.image
    changes = list(cloud.aws.changes)
    again = cloud.deployment().deploy("first")
    assert (again.changed, again.image, again.version) == (False, first.image, first.version)
    assert cloud.aws.changes == changes
    assert cloud.engine.logins == [{"username": "AWS", "password": TOKEN}]


def test_a_new_version_is_tried_by_its_number_gets_a_share_and_then_all(cloud: Cloud) -> None:
    first = cloud.deployment().deploy("first")
    seen = []
    cloud.aws.on_invoke = lambda qualifier: seen.append((qualifier, cloud.aws.shares()))
    second = cloud.deployment("aws.shift=0.25").deploy("second")
    assert seen == [("2", {}), ("2", {"2": 0.25})]
    assert (cloud.aws.running(), cloud.aws.shares()) == (second.image, {})
    assert second.image != first.image


def test_rollback_goes_back_at_once_and_again_forth(cloud: Cloud) -> None:
    deployment = cloud.deployment()
    first = deployment.deploy("first")
    for roll_back in (deployment.plan_rollback, deployment.rollback):
        with pytest.raises(ArtefactMissing, match="no previous version"):
            roll_back()
    second = deployment.deploy("second")
    assert first.image in "".join(deployment.plan_rollback())
    assert deployment.rollback() == replace(first, address=second.address)
    assert cloud.aws.running() == first.image
    assert deployment.rollback().image == second.image == cloud.aws.running()


def other_model(_: object) -> Any:
    return {"predictions": [], "model_version": "another"}


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (fails, "version 2 of light-model fails: RuntimeError no memory"),
        (other_model, "answers by another instead of"),
        (lambda _: "rows", "answers by no model"),
    ],
)
def test_a_version_that_answers_wrongly_never_gets_a_share(
    cloud: Cloud, run: Run, message: str
) -> None:
    first = cloud.deployment().deploy("first")
    cloud.fail("second", run)
    shares = []
    cloud.aws.on_invoke = lambda _: shares.append(cloud.aws.shares())
    with pytest.raises(DeployFailed, match=message):
        cloud.deployment().deploy("second")
    assert (cloud.aws.running(), cloud.aws.shares()) == (first.image, {})
    assert not any(shares)
    assert cloud.deployment().deploy("first").changed is False


def test_scores_that_differ_are_found(cloud: Cloud, function: LambdaFunction) -> None:
    def off(event: object) -> Any:
        answer = function(event, CONTEXT)
        answer["predictions"][0]["probability"] += 1e-9
        return answer

    cloud.fail("first", off)
    with pytest.raises(DeployFailed, match="differ from the stored scores in sample rows 1"):
        cloud.deployment().deploy("first")
    assert cloud.aws.running() == ""


@pytest.mark.parametrize(
    ("new", "old", "limit", "moved"),
    [
        ((10, 2), (100, 0), 0.01, False),
        ((10, 2), (100, 20), 0.01, True),
        ((10, 2), (100, 0), 0.5, True),
        ((0, 0), (100, 0), 0.0, True),
    ],
)
def test_errors_that_cloudwatch_counts_take_the_share_away(
    cloud: Cloud, new: tuple[int, int], old: tuple[int, int], limit: float, moved: bool
) -> None:
    first = cloud.deployment().deploy("first")

    def count(_: str) -> None:
        if cloud.aws.shares():
            cloud.aws.count("2", *new)
            cloud.aws.count("1", *old)

    cloud.aws.on_invoke = count
    deployment = cloud.deployment(f"aws.max_error_share={limit}")
    if moved:
        assert deployment.deploy("second").image == cloud.aws.running()
    else:
        with pytest.raises(DeployFailed, match="2 errors in 10 invocations, and 0 errors in 100"):
            deployment.deploy("second")
        assert cloud.aws.running() == first.image
    assert cloud.aws.shares() == {}


@pytest.mark.usefixtures("signals")
def test_sigterm_in_the_watch_ends_the_share(cloud: Cloud) -> None:
    first = cloud.deployment().deploy("first")

    def interrupt(_: str) -> None:
        if cloud.aws.shares():
            os.kill(os.getpid(), signal.SIGTERM)

    cloud.aws.on_invoke = interrupt
    with pytest.raises(KeyboardInterrupt):
        cloud.deployment("aws.watch_s=600").deploy("second")
    assert (cloud.aws.running(), cloud.aws.shares()) == (first.image, {})
    assert cloud.monitor().end_abandoned() == ""


def killed_in_the_watch(cloud: Cloud) -> str:
    """Leave the alias as a deployment does that was killed in its watch; return the image that answers."""
    cloud.deployment().deploy("first")
    cloud.deployment().deploy("second")
    alias = LiveAlias(cloud.deployment().account.functions, "light-model")
    state = alias.read()
    assert state
    alias.write(replace(state, shares={"1": 0.1}, owner="abc", until=time.time() + 100))
    return cloud.aws.running()


def test_of_two_deployments_at_once_one_is_refused(cloud: Cloud) -> None:
    running = killed_in_the_watch(cloud)
    shares = cloud.aws.shares()
    for act in (cloud.deployment().rollback, lambda: cloud.deployment().deploy("first")):
        with pytest.raises(AlreadyRunning, match="another deployment of light-model"):
            act()
    assert cloud.monitor().is_locked()
    assert cloud.monitor().end_abandoned() == ""
    assert (cloud.aws.running(), cloud.aws.shares()) == (running, shares)


def test_a_deployment_between_reading_and_claiming_is_noticed(cloud: Cloud) -> None:
    cloud.deployment().deploy("first")
    alias = LiveAlias(cloud.deployment().account.functions, "light-model")
    state = alias.read()
    assert state
    with alias.claim(state):  # noqa: SIM117 — the second one fails
        with pytest.raises(AlreadyRunning, match="has changed the alias"), alias.claim(state):
            pass
    ended = alias.read()
    assert ended
    assert (ended.owner, ended.version) == ("", state.version)


def test_the_monitor_ends_what_a_killed_deployment_left(cloud: Cloud) -> None:
    running = killed_in_the_watch(cloud)
    cloud.aws.let_claims_expire()
    assert "version 2 of light-model answers alone" in cloud.monitor().end_abandoned()
    assert (cloud.aws.running(), cloud.aws.shares()) == (running, {})
    assert cloud.monitor().end_abandoned() == ""
    assert not cloud.monitor().is_locked()


def test_the_next_deployment_ends_it_too(cloud: Cloud) -> None:
    running = killed_in_the_watch(cloud)
    cloud.aws.let_claims_expire()
    cloud.fail("third", fails)
    with pytest.raises(DeployFailed):
        cloud.deployment().deploy("third")
    assert (cloud.aws.running(), cloud.aws.shares()) == (running, {})


def test_an_alias_of_the_unpublished_code_is_fixed_before_that_code_changes(cloud: Cloud) -> None:
    cloud.aws.function.alias = {
        "AliasArn": "arn:live",
        "Name": "live",
        "FunctionVersion": "$LATEST",
        "RevisionId": "r",
        "Description": "made by hand",
    }
    answering = []
    cloud.aws.on_invoke = lambda _: answering.append(cloud.aws.running())
    done = cloud.deployment().deploy("first")
    assert answering == ["bootstrap", "bootstrap"]
    assert cloud.aws.running() == done.image


def test_changed_settings_of_the_function_are_deployed_with_the_same_image(cloud: Cloud) -> None:
    deployment = cloud.deployment()
    deployment.deploy("first")
    cloud.aws.function.configuration["MemorySize"] = 2048
    assert deployment.deploy("first").changed
    assert cloud.aws.function.of("live")["MemorySize"] == 2048
    assert deployment.deploy("first").changed is False


def test_a_plan_changes_nothing(cloud: Cloud) -> None:
    deployment = cloud.deployment()
    assert deployment.plan("first")[0].startswith("push first to registry.example/light-model")
    assert "create the alias live" in deployment.plan("first")[-1]
    assert (cloud.aws.changes, cloud.engine.pushed) == ([], {})
    deployment.deploy("first")
    assert deployment.plan("first")[0].endswith("is live already: check it, change nothing")
    assert "give it 10% of the invocations of live" in "".join(deployment.plan("second"))


def test_what_the_function_cannot_run_is_refused_before_it_is_pushed(cloud: Cloud) -> None:
    first = cloud.engine.known["first"]
    cloud.engine.known["arm"] = replace(first, attrs={"Architecture": "arm64"})
    cloud.engine.known["serving"] = replace(first, labels={"light-model.service": "serve"})
    for image, message in {
        "arm": "made for arm64, and the function runs on x86_64",
        "serving": "is no image for Lambda",
        "nothing": "there is no image nothing",
    }.items():
        with pytest.raises(ConfigError, match=message):
            cloud.deployment().deploy(image)
    cloud.aws.create_function(PackageType="Zip")
    with pytest.raises(ConfigError, match="takes a zip file"):
        cloud.deployment().deploy("first")
    assert cloud.engine.pushed == {}


def test_a_function_or_repository_that_is_missing_is_named(cloud: Cloud) -> None:
    with pytest.raises(ConfigError, match="no repository of-nobody of ECR in us-east-1"):
        cloud.deployment("aws.repository=of-nobody").deploy("first")
    with pytest.raises(ConfigError, match="no Lambda function of-nobody in us-east-1"):
        cloud.deployment("aws.function=of-nobody").deploy("first")


@pytest.mark.parametrize(
    "operation", ["GetAuthorizationToken", "UpdateFunctionCode", "UpdateAlias", "Invoke"]
)
def test_a_missing_right_is_named_and_changes_no_answer(cloud: Cloud, operation: str) -> None:
    running = cloud.deployment().deploy("first").image
    cloud.aws.denied = {operation}
    with pytest.raises(ConfigError, match=f"not authorized: {operation}") as error:
        cloud.deployment().deploy("second")
    assert "aws-deploy.md" in error.value.hint
    assert (cloud.aws.running(), cloud.aws.shares()) == (running, {})


def test_metrics_that_may_not_be_read_are_noticed_before_the_share(cloud: Cloud) -> None:
    cloud.deployment().deploy("first")
    cloud.aws.denied = {"GetMetricData"}
    shares = []
    cloud.aws.on_invoke = lambda _: shares.append(cloud.aws.shares())
    with pytest.raises(ConfigError, match="GetMetricData"):
        cloud.deployment().deploy("second")
    assert not any(shares)


def test_credentials_and_networks_that_are_missing_are_named(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def account() -> AwsAccount:
        return open_account(load(None, [], {}).config.aws)

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SourceUnavailable, match="AWS does not answer"):
        replace(cloud, account=account()).deployment().deploy("first")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(ConfigError, match="Unable to locate credentials") as error:
        replace(cloud, account=account()).deployment().deploy("first")
    assert "AWS_PROFILE" in error.value.hint
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ConfigError, match="no region is set"):
        account()


def test_no_secret_is_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    cloud.deployment().deploy("first")
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "pushed registry.example/light-model@sha256:" in logged
    assert TOKEN not in logged


def test_the_monitor_says_why_the_function_does_not_answer(cloud: Cloud) -> None:
    monitor = cloud.monitor()
    assert "there is no alias live" in monitor.check()
    cloud.deployment().deploy("first")
    assert monitor.check() == ""
    cloud.fail("first", fails)
    assert "RuntimeError no memory" in monitor.check()
    cloud.fail("first", lambda _: {"statusCode": 503})
    assert "/ready answers 503" in monitor.check()
    with pytest.raises(DeployFailed, match="--rollback"):
        monitor.restart()


def test_the_sample_rows_are_asked_for_as_json(cloud: Cloud) -> None:
    events: list[Any] = []

    def keep(event: object) -> Any:
        events.append(event)
        raise RuntimeError

    cloud.fail("first", keep)
    with pytest.raises(DeployFailed):
        cloud.deployment().deploy("first")
    manifest = json.loads(cloud.engine.known["first"].manifest)
    assert events == [[sample["values"] for sample in manifest["samples"]]]
