"""The images, built from the Dockerfile and run as users run them."""

import gzip
import io
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import openpyxl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest
import requests
from pyarrow import parquet

from benchmarks.ports import free_port
from tests.fakes.docker_engine import IMAGE, build
from tests.fakes.project import ROOT
from tests.fakes.publishing import published_again
from tests.fakes.server import wait_until_it_answers
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.docker


def shell(*words: str, **environ: str) -> str:
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environ},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(*options: str, image: str = IMAGE) -> Iterator[str]:
    """Run the image with `docker run`, and yield its address once it is ready."""
    port = free_port()
    name = shell("docker", "run", "-d", "-p", f"127.0.0.1:{port}:5001", *options, image).strip()
    try:
        address = f"http://127.0.0.1:{port}"
        try:
            wait_until_it_answers(f"{address}/ready")
        except AssertionError as error:
            error.add_note(shell("docker", "logs", name))
            raise
        yield address
    finally:
        shell("docker", "rm", "-fv", name)


HARDENED = (
    *("-u", "12345:0", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--pids-limit", "200"),
)


@pytest.mark.parametrize("options", [(), HARDENED], ids=["plain", "hardened"])
def test_docker_build_and_docker_run_answer_with_an_approved_model(
    images: str, options: tuple[str, ...]
) -> None:
    with running(*options, image=images) as address:
        rows = requests.get(f"{address}/sample.csv", timeout=60).content
        files = {"file": ("rows.csv", rows)}
        answers = requests.post(f"{address}/predict", files=files, timeout=60).json()
        assert len(answers) == len(rows.splitlines()) - 1
        assert all(0 <= answer["probability"] <= 1 for answer in answers)


_CODECS = ("none", "snappy", "gzip", "brotli", "zstd", "lz4")


def forms_of(csv: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield file name and content of a table in each format that the service reads."""
    table = arrow_csv.read_csv(pa.BufferReader(csv))
    lines = "\n".join(map(json.dumps, table.to_pylist())).encode()
    yield from (("rows.csv", csv), ("rows.csv.gz", gzip.compress(csv)), ("rows.jsonl", lines))
    for codec in _CODECS:
        file = io.BytesIO()
        parquet.write_table(table, file, compression=codec, data_page_version="2.0")
        yield f"{codec}.parquet", file.getvalue()
    workbook = openpyxl.Workbook()
    assert workbook.active is not None
    for row in (table.column_names, *(list(one.values()) for one in table.to_pylist())):
        workbook.active.append(row)
    file = io.BytesIO()
    workbook.save(file)
    yield "rows.xlsx", file.getvalue()


def test_the_image_of_a_compiled_model_is_small_and_reads_every_format(images: str) -> None:
    assert docker.from_env().images.get(images).attrs["Size"] <= 350e6
    with running(image=images) as address:
        csv = requests.get(f"{address}/sample.csv", timeout=60).content
        answers = {}
        for name, content in forms_of(csv):
            files = {"file": (name, content)}
            answer = requests.post(f"{address}/predict", files=files, timeout=60)
            answers[name] = (answer.status_code, answer.text)
    assert set(answers.values()) == {(200, answers["rows.csv"][1])}, answers


def test_a_command_given_to_the_image_is_what_runs(images: str) -> None:
    assert shell("docker", "run", "--rm", images, "cat", "/etc/debian_version")
    assert shell("docker", "run", "--rm", "-u", "12345:0", images, "id", "-u").strip() == "12345"


def test_the_serving_image_holds_what_serving_needs_and_no_more(images: str) -> None:
    inside = "import importlib.util as u; print(*[n for n in {names!r} if u.find_spec(n)])"
    names = [
        "lightgbm",
        "scipy",
        "pandas",
        "sklearn",
        "matplotlib",
        "gdown",
        "pip",
        "docker",
        "mlflow",
    ]
    python = ("docker", "run", "--rm", images, "python", "-c")
    assert shell(*python, inside.format(names=names)).split() == []
    look = "for t in gcc cc git npm; do command -v $t; done; ls; find var deploy -name '*.csv'; ls model"
    files = shell("docker", "run", "--rm", images, "sh", "-c", look).split()
    version = files.pop()
    assert files == ["app.py", "config.toml", "deploy", "lightmodel", "model", "var"]
    assert version.startswith("2")
    assert "libgomp.so.1" in shell("docker", "run", "--rm", images, "sh", "-c", "ldconfig -p")


def test_the_image_is_labelled(images: str) -> None:
    config = docker.from_env().images.get(images).attrs["Config"]
    assert list(config["ExposedPorts"]) == ["5001/tcp"]
    assert "/ready" in " ".join(config["Healthcheck"]["Test"])
    assert not config.get("Entrypoint")
    assert config["User"] == "10001:0"
    assert config["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert config["Labels"]["org.opencontainers.image.version"] == "7"


def test_dockers_health_check_passes(images: str) -> None:
    with running("--name", f"{IMAGE}-health", image=images):
        container = docker.from_env().containers.get(f"{IMAGE}-health")

        def healthy() -> bool:
            container.reload()
            return bool(container.health == "healthy")

        wait_until(healthy, "Docker's health check", seconds=180, interval_s=0.5)
        assert container.status == "running"


def clone(folder: Path) -> Path:
    """Copy the files that git tracks, as they are now, to a folder, and return it."""
    names = shell("git", "-C", str(ROOT), "ls-files").split("\n")
    for name in filter(None, names):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return folder


def clone_with_model(folder: Path, image: str) -> tuple[Path, str]:
    """Clone to a folder, with the model of an image in `model/`; return the folder and the version."""
    clone(folder)
    made = shell("docker", "create", image).strip()
    shell("docker", "cp", f"{made}:/app/model/.", str(folder / "model"))
    shell("docker", "rm", made)
    (version,) = [path.name for path in (folder / "model").glob("2*")]
    return folder, version


def test_prebuilt_takes_the_newest_approved_model_of_the_folder_and_trains_nothing(
    images: str, tmp_path: Path
) -> None:
    folder, version = clone_with_model(tmp_path / "clone", images)
    tag = f"{IMAGE}:prebuilt"
    build("--build-arg", "MODEL_FROM=prebuilt", "-t", tag, folder=folder)
    assert shell("docker", "run", "--rm", tag, "ls", "model").split() == [version]
    shell("docker", "rmi", tag)


def test_a_model_that_is_not_compiled_gets_an_image_with_lightgbm(
    images: str, tmp_path: Path
) -> None:
    folder, version = clone_with_model(tmp_path / "clone", images)
    published_again(folder, version, compiled=False)
    tag = f"{IMAGE}:not-compiled"
    build("--build-arg", "MODEL_FROM=prebuilt", "--target", "runtime", "-t", tag, folder=folder)
    assert shell("docker", "run", "--rm", tag, "cat", "/tmp/runtime") == "lightgbm\n"
    shell("docker", "rmi", tag)


def test_prebuilt_without_an_approved_model_fails_with_a_hint(tmp_path: Path) -> None:
    folder = clone(tmp_path / "clone")
    with pytest.raises(
        AssertionError, match=r"there is no approved model[\s\S]*trains and tests one"
    ):
        build("--build-arg", "MODEL_FROM=prebuilt", folder=folder)


def test_a_runtime_that_does_not_suit_the_model_is_refused(images: str) -> None:
    assert images  # whose trained model the cache has, for the same commit
    with pytest.raises(AssertionError, match="needs the runtime compiled"):
        build("--build-arg", "COMMIT=c0ffee", "--build-arg", "RUNTIME=plain", "--target", "packed")


def test_the_signing_key_signs_and_is_not_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-very-secret-key", encoding="ascii")
    tag = f"{IMAGE}:signed"
    build(
        "--secret",
        f"id=signing_key,src={tmp_path / 'key'}",
        "-t",
        tag,
        "--no-cache-filter",
        "trained,packed",
    )
    image = docker.from_env().images.get(tag)
    saved = tmp_path / "image.tar"
    with saved.open("wb") as file:
        for piece in image.save():
            file.write(piece)
    assert b"a-very-secret-key" not in saved.read_bytes()
    manifest = json.loads(
        shell("docker", "run", "--rm", tag, "sh", "-c", "cat model/*/manifest.json")
    )
    assert manifest["signature"]
    with running("-e", "LIGHTMODEL__STORE__SIGNING_KEY=a-very-secret-key", image=tag) as address:
        assert requests.get(f"{address}/ready", timeout=60).ok
    shell("docker", "rmi", tag)


def test_the_pipeline_image_trains_as_any_user_into_a_fresh_volume(images: str) -> None:
    assert images
    volume = f"{IMAGE}-store"
    run = (
        "docker",
        "run",
        "--rm",
        "-u",
        "12345:0",
        "-v",
        f"{volume}:/app/var",
        f"{IMAGE}-pipeline",
    )
    try:
        assert "AUC" in shell(
            *run, "python", "run.py", "--set", "data.source=sample://santander?rows=2000"
        )
        again = shell(*run, "python", "run.py", "--set", "data.source=sample://santander?rows=2000")
        assert "reused: nothing changed" in again
        manifest = json.loads(shell(*run, "sh", "-c", "cat var/store/model/*/manifest.json"))
        assert manifest["commit"] == "c0ffee"
    finally:
        shell("docker", "volume", "rm", volume)
