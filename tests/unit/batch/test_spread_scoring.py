"""Files are scored by the workers of a real cluster: the same bytes as in this process."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lightmodel.cluster.client import close_clusters
from lightmodel.errors import ContractViolation, SourceUnavailable
from tests.fakes.dask_cluster import DaskCluster, dask_cluster
from tests.fakes.scoring_jobs import Jobs, as_lines
from tests.fakes.streams import visit

pytestmark = pytest.mark.dask
ROWS = 3_000


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_clusters()


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A cluster that no test harms."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as started:
        yield started


def on(cluster: DaskCluster, jobs: Jobs, timeout_s: float = 240) -> Jobs:
    """Return jobs that this cluster does."""
    config = jobs.config.model_copy(update={"dask": cluster.section(timeout_s)})
    return replace(jobs, config=config)


def write_rows(jobs: Jobs, name: str = "rows.jsonl") -> None:
    (jobs.folder / name).write_bytes(as_lines([visit(number) for number in range(ROWS)]))


@pytest.mark.parametrize("out", ["csv", "jsonl", "parquet"])
def test_the_answers_have_the_bytes_of_the_local_ones(
    jobs: Jobs, workers: DaskCluster, out: str
) -> None:
    write_rows(jobs)
    jobs("rows.jsonl", f"here.{out}")
    spread = on(workers, jobs)("rows.jsonl", f"there.{out}")
    assert (spread.rows, spread.scored) == (ROWS, ROWS)
    assert jobs.out(f"there.{out}") == jobs.out(f"here.{out}")


def test_bad_rows_are_named_by_their_numbers(jobs: Jobs, workers: DaskCluster) -> None:
    lines = as_lines([visit(number) for number in range(ROWS)]).splitlines(keepends=True)
    lines[ROWS - 7] = b'{"visit_id":"b","age":"old","spent":1,"where":"web"}\n'
    (jobs.folder / "rows.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(ContractViolation, match=rf"\(row {ROWS - 6}; 1 in all\)"):
        on(workers, jobs)("rows.jsonl")
    listed = on(workers, jobs)("rows.jsonl", on_error="file")
    assert (listed.scored, listed.bad) == (ROWS - 1, 1)


def test_a_file_that_is_read_whole_is_scored_here(jobs: Jobs, workers: DaskCluster) -> None:
    write_rows(jobs, "a.jsonl")
    text = b",".join(as_lines([visit(1), visit(2)]).splitlines())
    (jobs.folder / "b.json").write_bytes(b"[" + text + b"]")
    scored = on(workers, jobs)(str(jobs.folder / "*.json*"))
    assert scored.scored == ROWS + 2


def test_a_job_whose_cluster_goes_away_goes_on_without_it(jobs: Jobs, tmp_path: Path) -> None:
    write_rows(jobs)
    jobs("rows.jsonl", "here.csv")
    folder = tmp_path / "dask"
    folder.mkdir()
    with (
        dask_cluster(folder, workers=0) as gone,
        pytest.raises(SourceUnavailable, match="has no workers"),
    ):
        on(gone, jobs, 2)("rows.jsonl", "there.csv")
    jobs("rows.jsonl", "there.csv")
    assert jobs.out("there.csv") == jobs.out("here.csv")
