"""AWS and Azure Storage as processes on loopback: moto's server and Azurite."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import requests

from benchmarks.ports import free_port
from tests.fakes.waiting import running, untraced, wait_until

AZURITE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Run moto's server and yield its address."""
    port = free_port()
    command = [_program("moto_server", "requirements/ci.txt"), "-H", "127.0.0.1", "-p", str(port)]
    with _serving(command, f"http://127.0.0.1:{port}/moto-api/"):
        yield f"http://127.0.0.1:{port}"


def make_bucket(endpoint: str, bucket: str) -> None:
    """Create an empty bucket."""
    with contextlib.closing(client_of("s3", endpoint)) as client:
        client.create_bucket(Bucket=bucket)


def put_object(endpoint: str, bucket: str, key: str, content: bytes) -> None:
    """Upload an object to a bucket, replacing an older one."""
    with contextlib.closing(client_of("s3", endpoint)) as client:
        client.put_object(Bucket=bucket, Key=key, Body=content)


def make_stream(endpoint: str, stream: str, shards: int) -> None:
    """Create a Kinesis stream, and wait until it can be used."""
    with contextlib.closing(client_of("kinesis", endpoint)) as client:
        client.create_stream(StreamName=stream, ShardCount=shards)
        client.get_waiter("stream_exists").wait(
            StreamName=stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )


def put_records(endpoint: str, stream: str, records: Sequence[tuple[bytes, str]]) -> None:
    """Put data with their partition keys into a Kinesis stream."""
    with contextlib.closing(client_of("kinesis", endpoint)) as client:
        for start in range(0, len(records), 500):
            some = [
                {"Data": data, "PartitionKey": key} for data, key in records[start : start + 500]
            ]
            answer = client.put_records(StreamName=stream, Records=some)
            assert answer["FailedRecordCount"] == 0


def records_in(endpoint: str, stream: str) -> list[tuple[bytes, str]]:
    """Return the data and partition keys in a Kinesis stream, shard by shard."""
    found = []
    with contextlib.closing(client_of("kinesis", endpoint)) as client:
        for shard in client.list_shards(StreamName=stream)["Shards"]:
            iterator = client.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = client.get_records(ShardIterator=iterator)
                found += [(one["Data"], one["PartitionKey"]) for one in page["Records"]]
                iterator = page["Records"] and page.get("NextShardIterator")
    return found


def aws_environment(endpoint: str) -> dict[str, str]:
    """Return the variables that lead AWS's libraries to moto's server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def client_of(service: str, endpoint: str) -> Any:
    """Return a client of botocore for moto's server."""
    import botocore.session

    return botocore.session.get_session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@contextlib.contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Run Azurite and yield a connection string for it."""
    port = free_port()
    program = _program("azurite-blob", "npm install azurite")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "-l", str(folder)]
    with _serving([*command, "--silent", "--skipApiVersionCheck"], f"http://127.0.0.1:{port}/"):
        yield azurite_at(port)


def make_container(connection: str, container: str) -> None:
    """Create an empty container."""
    from azure.storage.blob import ContainerClient

    with ContainerClient.from_connection_string(connection, container) as client:
        client.create_container()


def put_blob(connection: str, container: str, name: str, content: bytes) -> None:
    """Upload a blob to a container, replacing an older one."""
    from azure.storage.blob import BlobClient

    with BlobClient.from_connection_string(connection, container, name) as client:
        client.upload_blob(content, overwrite=True)


def azurite_at(port: int) -> str:
    """Return the connection string of an Azurite on this port of loopback."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURITE_KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/devstoreaccount1;"
    )


def _program(name: str, where_from: str) -> str:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name)
    assert path, f"{name} is not on the PATH; it comes with {where_from}"
    return path


@contextlib.contextmanager
def _serving(command: list[str], probe: str) -> Iterator[None]:
    # It ends with SIGKILL: after SIGTERM Azurite takes twenty seconds.
    with (
        running(
            command, env=untraced(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
        requests.Session() as session,
    ):
        session.trust_env = False

        def answers() -> bool:
            try:
                session.get(probe, timeout=60)
            except requests.RequestException:
                return False
            return True

        wait_until(answers, f"an answer of {command[0]}", process=process)
        yield
