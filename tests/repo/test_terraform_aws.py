"""deploy/aws (Terraform) names what the code reads, allows no more than is needed, and names no account."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightmodel.config import AwsSection, Config, ServeSection, StreamsSection
from lightmodel.delivery.aws_alias import LIVE
from lightmodel.delivery.azure_resources import PORT
from tests.fakes.hcl import DEPLOY, blocks, parsed, text_of

ROOT = Path(__file__).parents[2]
AWS = DEPLOY / "aws"
TEXT = text_of(AWS)
PAGE = (ROOT / "docs" / "guide" / "aws.md").read_text(encoding="utf-8")
# Actions for which AWS knows no resources.
WITHOUT_RESOURCE = {
    *("ecr:GetAuthorizationToken", "cloudwatch:GetMetricData"),
    *("ssm:DescribeInstanceInformation", "ssm:GetCommandInvocation"),
    *("xray:PutTelemetryRecords", "xray:PutTraceSegments"),
}


def variables() -> dict[str, Any]:
    return blocks(AWS, "variable")


def resource(name: str) -> dict[str, Any]:
    return blocks(AWS, "resource")[name]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statements of all policies, by the name of the policy."""
    for name, body in blocks(AWS, "data").items():
        if name.startswith("aws_iam_policy_document."):
            for statement in body.get("statement", []):
                yield name.partition(".")[2], statement
            for block in body.get("dynamic", []):
                yield from ((name.partition(".")[2], one) for one in block["statement"]["content"])


def dockerfile_stage(name: str) -> str:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return text.partition(f" AS {name}\n")[2].partition("\nFROM ")[0]


def test_every_variable_is_used_and_every_used_one_is_declared() -> None:
    used = set(re.findall(r"\bvar\.(\w+)", TEXT))
    assert used == variables().keys()
    declared = {name for one in sorted(AWS.glob("*.tf")) for name in locals_of(one)}
    assert set(re.findall(r"\blocal\.(\w+)", TEXT)) <= declared


def locals_of(file: Path) -> set[str]:
    return {name for block in parsed(file).get("locals", []) for name in block}


def test_only_the_region_must_be_given() -> None:
    assert [name for name, body in variables().items() if "default" not in body] == ["region"]
    assert all(body["description"].endswith(".") for body in variables().values())
    example = (AWS / "terraform.tfvars.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:# )?(\w+) +=", example, re.MULTILINE)) <= variables().keys()


def test_names_of_environment_variables_are_settings() -> None:
    text = TEXT + (AWS / "host.sh.tftpl").read_text(encoding="utf-8")
    names = set(re.findall(r"LIGHTMODEL__[A-Z_]+", text))
    assert names >= {"LIGHTMODEL__STREAMS__OUTPUT", "LIGHTMODEL__SERVE__API_KEYS"}
    for name in names:
        _, section, key = name.lower().split("__")
        assert key in type(getattr(Config(), section)).model_fields


def test_streams_have_names_that_the_function_takes() -> None:
    names = [variables()[f"{end}_stream"]["default"] for end in ("input", "output", "dead_letter")]
    assert len({*names}) == 3
    streams = [f"kinesis://{name}" for name in names]
    settings = StreamsSection(input=streams[0], output=streams[1], dead_letter=streams[2])
    assert settings.output == streams[1]


def test_the_function_is_that_of_the_image() -> None:
    function = resource("aws_lambda_function.this")
    (command,) = function["image_config"][0]["command"]
    assert f'CMD ["{command}"]' in dockerfile_stage("lambda")
    module, _, name = command.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    assert function["package_type"] == "Image"


def test_a_deployment_and_terraform_do_not_undo_each_other() -> None:
    (of_function,) = resource("aws_lambda_function.this")["lifecycle"]
    assert "image_uri" in str(of_function["ignore_changes"])
    alias = resource("aws_lambda_alias.live")
    assert {"function_version", "routing_config", "description"} <= {
        one.strip("${}") for one in alias["lifecycle"][0]["ignore_changes"]
    }
    assert LIVE in {block.get("alias") for block in parsed(AWS / "main.tf")["locals"]}


@pytest.mark.parametrize("name", ["repository", "function"])
def test_the_deployment_looks_where_terraform_puts_things(name: str) -> None:
    assert variables()[name]["default"] == getattr(AwsSection(), name)


def test_records_that_fail_alone_are_reported_and_none_is_lost() -> None:
    mapping = resource("aws_lambda_event_source_mapping.this")
    assert mapping["function_response_types"] == ["ReportBatchItemFailures"]
    assert "aws_lambda_alias.live" in mapping["function_name"]
    (failure,) = mapping["destination_config"][0]["on_failure"]
    assert "aws_sqs_queue.failed" in failure["destination_arn"]
    assert "var.bisect_batches" in mapping["bisect_batch_on_function_error"]


def test_the_service_is_asked_where_it_answers() -> None:
    (local,) = (one for one in parsed(AWS / "main.tf")["locals"] if "port" in one)
    assert local["port"] == ServeSection().port == int(PORT)
    group = resource("aws_lb_target_group.this")
    assert group["health_check"][0]["path"] == "/ready"
    assert group["deregistration_delay"] > ServeSection().graceful_timeout_s
    assert "USER 10001:0" in dockerfile_stage("serve")
    assert re.search(r'user\s+= "10001:0"', TEXT)


def test_policies_allow_named_actions_on_named_resources() -> None:
    allowed = [(name, one) for name, one in statements() if one.get("effect") != "Deny"]
    assert len(allowed) > 20
    for name, statement in allowed:
        actions = statement["actions"]
        assert not [one for one in actions if "*" in one], name
        if statement.get("resources") == ["*"] and name != "key":  # there it means the key itself
            assert {*actions} <= WITHOUT_RESOURCE, name


def test_only_denials_hold_for_everybody() -> None:
    for name, statement in statements():
        identifiers = [one for who in statement.get("principals", []) for one in who["identifiers"]]
        assert "*" not in identifiers or statement["effect"] == "Deny", name


@pytest.mark.parametrize("bucket", ["mirrors", "logs"])
def test_buckets_are_closed_to_the_public_and_encrypted(bucket: str) -> None:
    block = resource(f"aws_s3_bucket_public_access_block.{bucket}")
    settings = {
        name: value for name, value in block.items() if name.startswith(("block", "ignore", "res"))
    }
    assert len(settings) == 4
    assert all(settings.values())
    assert f"aws_s3_bucket_server_side_encryption_configuration.{bucket}" in blocks(AWS, "resource")


def test_no_account_region_or_key_is_written_down() -> None:
    files = [*AWS.glob("*.tf"), *AWS.glob("*.tftpl")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    text = re.sub(r"description = .*", "", text)
    assert not re.search(r"\b\d{12}\b", text)
    assert not re.search(r"\b(us|eu|ap|sa|ca|me|af)-[a-z]+-\d\b", text)
    assert not re.search(r"\bA(KIA|SIA)[A-Z0-9]{16}\b", text)
    (backend,) = (one["backend"] for one in parsed(AWS / "main.tf")["terraform"])
    (settings,) = backend
    assert set(settings["s3"]) <= {"__is_block__"}


def test_the_page_names_outputs_and_alarms_that_there_are() -> None:
    named = set(re.findall(r"terraform (?:-chdir=\S+ )?output (?:-raw )?(\w+)", PAGE))
    assert len(named) > 4
    assert named <= blocks(AWS, "output").keys()
    alarms = set(re.findall(r"alarm `([a-z-]+)`", PAGE))
    assert len(alarms) == 3
    assert all(re.search(rf"^ +{alarm} = {{", TEXT, re.MULTILINE) for alarm in alarms)
    assert set(re.findall(r"`(\w+) = ", PAGE)) <= variables().keys() | {"architecture"}
