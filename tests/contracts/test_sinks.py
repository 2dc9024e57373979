"""The contract of every sink (`lightmodel.predictions.base.Sink`), run over all of them."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from lightmodel.config import LogSection
from lightmodel.contract.task import Label
from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.predictions.base import Sink, utc_text
from lightmodel.predictions.postgres import PostgresSink
from lightmodel.predictions.prune import prune
from lightmodel.predictions.shadows import PREDICTIONS, SHADOWS, ShadowedRows
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import LATER, VERSION, answered, at, rows_of
from tests.fakes.postgres import Postgres, postgres

OpenSink = Callable[..., Sink]
NOON = utc_text(at(0))


class SinkContract:
    """What holds for every sink; a subclass defines the fixture `open_sink`."""

    @pytest.fixture
    def open_sink(self) -> OpenSink:
        raise NotImplementedError

    @pytest.fixture
    def sink(self, open_sink: OpenSink) -> Iterator[Sink]:
        opened = open_sink()
        yield opened
        opened.close()

    @pytest.fixture
    def shadows(self, open_sink: OpenSink) -> Iterator[Sink]:
        opened = open_sink(SHADOWS)
        yield opened
        opened.close()

    def test_scores_of_a_challenger_are_no_answers(self, sink: Sink, shadows: Sink) -> None:
        sink.write(rows_of(answered("r1", ["a", "b"], [0.1, 0.9])))
        assert shadows.write(rows_of(answered("r1", ["a", "b"], [0.2, 0.3], version=LATER))) == 2
        sink.add_ground_truth({"a": "no", "b": "yes"}, at(1))
        since = "2026-01-01T00:00:00Z"
        assert (sink.answered(), sink.window_size(LATER, since)) == ({VERSION: 2}, 0)
        assert [*sink.window(LATER, since)] == sink.labelled(LATER) == []
        assert len([*sink.rows()]) == 2

    def test_scores_stand_beside_the_answers_to_the_same_rows(
        self, sink: Sink, shadows: Sink
    ) -> None:
        sink.write(rows_of(answered("r1", ["a", "b"], [0.1, 0.9]), answered("r2", ["c"], [0.8])))
        later = answered("r1", ["b"], [0.3], version=LATER)._replace(numbers=[2])
        unknown = answered("r3", ["a"], [0.5], version=LATER)
        shadows.write(rows_of(later, unknown))
        since = "2026-01-01T00:00:00Z"
        pair = ShadowedRows(VERSION, LATER, 1, 0)
        assert sink.shadowed(since) == [pair]
        assert sink.shadowed(utc_text(at(1))) == []
        assert [*sink.shadow_window(pair, since)] == [(("yes", 0.9), ("no", 0.3))]
        assert sink.shadow_labelled(pair) == []
        sink.add_ground_truth({"b": "no", "c": "no"}, at(1))
        assert sink.shadow_labelled(pair) == [(NOON, "no", ("yes", 0.9), ("no", 0.3))]

    def test_of_an_id_that_is_scored_again_the_last_pair_counts(
        self, sink: Sink, shadows: Sink
    ) -> None:
        for request, second in (("r1", 5), ("r2", 9), ("r3", 1)):
            rows = answered(request, ["a"], [second / 10], time=at(second))
            sink.write(rows_of(rows))
            shadows.write(rows_of(rows._replace(version=LATER)))
        sink.add_ground_truth({"a": "no"}, at(10))
        (found,) = sink.shadow_labelled(ShadowedRows(VERSION, LATER, 3, 0))
        assert found[1:] == ("no", ("yes", 0.9), ("yes", 0.9))

    def test_rows_that_a_version_could_not_score_are_counted(
        self, sink: Sink, shadows: Sink
    ) -> None:
        sink.write(rows_of(answered("r1", ["a", "b"], [0.1, 0.9])))
        failed = answered("r1", ["a", "b"], [0.1, 0.1], version=LATER)
        nothing = failed._replace(predictions=["no", None], probabilities=[0.2, None])
        shadows.write(rows_of(nothing))
        assert (sink.failures(LATER), sink.failures(VERSION)) == (1, 0)
        (pair,) = sink.shadowed("2026-01-01T00:00:00Z")
        assert (pair.rows, pair.failed) == (2, 1)
        assert len([*sink.shadow_window(pair, "2026-01-01T00:00:00Z")]) == 1
        sink.add_ground_truth({"a": "no", "b": "no"}, at(1))
        assert len(sink.shadow_labelled(pair)) == 1

    def test_the_scores_of_a_time_are_deleted_without_the_answers(
        self, sink: Sink, shadows: Sink
    ) -> None:
        for day in (3, 5):
            rows = answered(f"r{day}", ["a"] * 5, [0.5] * 5, time=at(0, day=day))
            sink.write(rows_of(rows))
            shadows.write(rows_of(rows._replace(version=LATER)))
        assert sum(shadows.delete_rows(before=utc_text(at(0, day=4)))) == 5
        assert sink.answered() == {VERSION: 10}
        assert [pair.rows for pair in sink.shadowed("2026-01-01T00:00:00Z")] == [5]

    def test_the_rows_of_a_request_may_have_two_versions(self, sink: Sink) -> None:
        sink.write(
            rows_of(answered("r1", ["a", "b", "c"], [0.5] * 3, version=[VERSION, LATER, VERSION]))
        )
        assert sink.answered() == {VERSION: 2, LATER: 1}
        assert [row[3] for row in sink.rows()] == [VERSION, LATER, VERSION]

    def test_written_rows_are_visible_to_others_and_after_closing(
        self, open_sink: OpenSink, sink: Sink
    ) -> None:
        rows = rows_of(answered("r1", ["a", "b"], [0.1, 0.9]), answered("r2", ["c"], [0.4]))
        assert sink.write(rows) == 3
        other = open_sink()
        assert other.answered() == {VERSION: 3}
        other.close()
        sink.close()
        assert sink.write(rows_of(answered("r3", ["d"], [0.4]))) == 1
        assert sink.answered() == {VERSION: 4}

    def test_rows_of_every_version_are_counted_oldest_first(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r1", ["a"], [0.1], version=LATER)))
        sink.write(rows_of(answered("r2", ["a", "b"], [0.1, 0.2])))
        assert list(sink.answered().items()) == [(VERSION, 2), (LATER, 1)]

    def test_an_empty_sink_returns_no_rows(self, sink: Sink) -> None:
        assert sink.answered() == {}
        assert sink.labelled(VERSION) == []

    def test_a_window_holds_the_answers_of_a_version_since_a_time(self, sink: Sink) -> None:
        features = {"x": [1.5, None]}
        sink.write(rows_of(answered("r1", ["a", "b"], [0.1, 0.9], features=features)))
        sink.write(rows_of(answered("r2", ["c"], [0.4], time=at(1))))
        sink.write(rows_of(answered("r3", ["d"], [0.4], version=LATER)))
        since = utc_text(at(1))
        assert (
            sink.window_size(VERSION, since),
            sink.window_size(VERSION, "2026-01-01T00:00:00Z"),
        ) == (1, 3)
        times = [row[0] for row in sink.window(VERSION, since)]
        assert times == ["2026-01-03T12:00:01.000000Z"]
        found = [
            [None if cell is None else orjson.loads(cell) for cell in row[1:]]
            for row in sink.window(VERSION, "2026-01-01T00:00:00Z")
        ]
        expected = [["no", 0.1, {"x": 1.5}], ["yes", 0.9, {"x": None}], ["no", 0.4, None]]
        assert sorted(found, key=str) == sorted(expected, key=str)

    def test_a_window_may_be_one_row_in_so_many(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r1", [f"i{row}" for row in range(600)], [0.1] * 600)))
        whole = [*sink.window(VERSION, "2026-01-01T00:00:00Z")]
        some = [*sink.window(VERSION, "2026-01-01T00:00:00Z", 3)]
        assert (len(whole), some == [*sink.window(VERSION, "2026-01-01T00:00:00Z", 3)]) == (
            600,
            True,
        )
        assert 120 <= len(some) <= 280

    def test_an_answer_and_its_ground_truth_are_joined_by_id(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r1", ["a", "b", "c"], [0.1, 0.9, 0.3])))
        assert sink.add_ground_truth({"c": "yes", "b": "no", "nobody": "no"}, at(1)) == 2
        assert sink.labelled(VERSION) == [(NOON, "no", "yes", 0.9), (NOON, "yes", "no", 0.3)]
        assert sink.labelled(LATER) == []

    def test_labels_that_arrived_since_a_time_are_counted_where_there_is_an_answer(
        self, sink: Sink
    ) -> None:
        sink.write(rows_of(answered("r1", ["a", "b", "c", "c"], [0.1] * 4)))
        sink.add_ground_truth({"a": "yes"}, at(1))
        sink.add_ground_truth({"b": "yes", "c": "no", "nobody": "no"}, at(5))
        counts = [sink.count_labelled(utc_text(at(second))) for second in (0, 3, 9)]
        assert counts == [3, 2, 0]

    def test_feedback_has_the_last_logged_features_of_each_labelled_id(self, sink: Sink) -> None:
        def asked(request: str, ids: list[str], xs: list[float] | None, second: int) -> None:
            features = None if xs is None else {"x": xs}
            facts = {"time": at(second), "features": features}
            sink.write(rows_of(answered(request, ids, [0.5] * len(ids), **facts)))

        asked("r1", ["b", "a", "unlabelled"], [1.5, 2.5, 3.5], 1)
        asked("r2", ["a"], [4.5], 2)
        asked("r3", ["a", "c"], None, 3)
        sink.add_ground_truth({"a": "yes", "b": "no", "c": "no", "nobody": "no"}, at(9))
        found = [(key, label, orjson.loads(text)) for key, label, text in sink.feedback()]
        assert found == [("a", "yes", {"x": 4.5}), ("b", "no", {"x": 1.5})]

    def test_ground_truth_may_arrive_before_its_answer(self, sink: Sink) -> None:
        assert sink.add_ground_truth({"a": "no"}, at(0)) == 0
        sink.write(rows_of(answered("r1", ["a"], [0.9])))
        assert [row[1] for row in sink.labelled(VERSION)] == ["no"]

    def test_the_latest_ground_truth_of_an_id_counts(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r1", ["a"], [0.9])))
        assert [sink.add_ground_truth({"a": truth}, at(1)) for truth in ("no", "yes")] == [1, 1]
        assert [row[1] for row in sink.labelled(VERSION)] == ["yes"]

    def test_the_last_answer_to_an_id_counts(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r2", ["a"], [0.7], time=at(9, day=4))))
        sink.write(rows_of(answered("r3", ["a", "a"], [0.2, 0.3], time=at(8, day=4))))
        sink.add_ground_truth({"a": "yes"}, at(1))
        assert [row[3] for row in sink.labelled(VERSION)] == [0.7]
        last = answered("r1", ["a"] * 12, [0.5] * 11 + [0.6], time=at(10, day=4))
        sink.write(rows_of(last))
        assert [row[3] for row in sink.labelled(VERSION)] == [0.6]

    def test_whatever_an_id_is_written_with_comes_back(self, sink: Sink) -> None:
        ids = ["007", "7", 'a "quoted", one', "two\nlines", "ÅÄ\u2028", "nul\0", "\\u0000", "'; --"]
        sink.write(rows_of(answered("r1", ids, [0.5] * len(ids))))
        known = {key.replace("\0", "\ufffd"): "yes" for key in ids}
        assert sink.add_ground_truth(known, at(1)) == len(ids)
        assert len(sink.labelled(VERSION)) == len(ids)

    def test_rows_without_an_id_are_answered_and_never_labelled(self, sink: Sink) -> None:
        sink.write(rows_of(answered("r1", None, [0.5, 0.6])))  # type: ignore[arg-type]  # no id column
        sink.add_ground_truth({"a": "yes"}, at(1))
        assert sink.answered() == {VERSION: 2}
        assert sink.labelled(VERSION) == []

    @pytest.mark.parametrize(
        ("prediction", "probability"),
        [("good", {"bad": 0.25, "good": 0.75}), (True, 0.75), (3, 0.125), (0.1 + 0.2, None)],
    )
    def test_every_kind_of_answer_comes_back(
        self, sink: Sink, prediction: Label, probability: object
    ) -> None:
        rows = answered("r1", ["a"], [0.5], features={"x": [1.5]})
        sink.write(rows_of(rows._replace(predictions=[prediction], probabilities=[probability])))
        sink.add_ground_truth({"a": "whatever"}, at(1))
        assert sink.labelled(VERSION) == [(NOON, "whatever", prediction, probability)]

    def test_rows_come_oldest_first_with_their_ground_truth_and_by_day(self, sink: Sink) -> None:
        midnight = at(0) + timedelta(hours=12)
        late = answered("r1", ["b"], [0.5], time=midnight, features={"x": [1.5]})
        early = answered("r2", ["a", "c"], [0.9, 0.1], time=midnight - timedelta(microseconds=1))
        sink.write(rows_of(late, early))
        sink.add_ground_truth({"a": "no"}, at(1))
        rows = [*sink.rows()]
        assert [row[:2] for row in rows] == [("r2", 1), ("r2", 2), ("r1", 1)]
        assert rows[0][2:] == (
            "2026-01-03T23:59:59.999999Z",
            VERSION,
            "a",
            '"yes"',
            "0.9",
            None,
            "no",
        )
        assert [row[8] for row in rows] == ["no", None, None]
        assert orjson.loads(rows[2][7]) == {"x": 1.5}
        assert [row[0] for row in sink.rows("2026-01-04")] == ["r1"]
        assert [*sink.rows("2026-01-05")] == []

    def test_a_batch_over_midnight_is_kept_whole(self, sink: Sink) -> None:
        midnight = at(0) + timedelta(hours=12)
        late = answered("r1", ["a"], [0.5], time=midnight - timedelta(microseconds=1))
        assert sink.write(rows_of(late, answered("r2", ["b"], [0.5], time=midnight))) == 2
        assert sink.answered() == {VERSION: 2}

    def test_rows_that_cannot_be_stored_are_refused_with_those_beside_them(
        self, sink: Sink
    ) -> None:
        good = rows_of(*(answered(f"r{number:03d}", ["a"], [0.5]) for number in range(120)))
        request: Any = None  # every row has one
        with pytest.raises(DataError):
            sink.write([*good, (request, *good[0][1:])])
        assert sink.answered() == {}
        assert sink.write(good) == 120

    def test_no_rows_are_no_change(self, sink: Sink) -> None:
        assert sink.write([]) == 0
        assert sink.answered() == {}

    def test_answers_and_labels_beyond_the_kept_days_are_deleted_in_batches(
        self, sink: Sink
    ) -> None:
        old = answered("r1", [f"v{n}" for n in range(5_000)], [0.9] * 5_000, time=at(0, day=3))
        sink.write(rows_of(old, answered("r2", ["v1", "new"], [0.2, 0.3], time=at(0, day=5))))
        sink.add_ground_truth(
            {f"v{n}": "yes" for n in range(3_000)} | {"nobody": "no"}, at(1, day=3)
        )
        sink.add_ground_truth({"new": "no", "v2": "no", "later": "no"}, at(1, day=5))
        limits, now = LogSection(keep_days=2), at(0, day=6)
        expected = (5_000, 2_999, at(0, day=4))  # v1 has a newer answer, v2 a newer label
        dry = prune(sink, limits, now, dry_run=True)
        assert (dry.rows, dry.labels, dry.before) == expected
        assert sink.answered() == {VERSION: 5_002}
        done = prune(sink, limits, now)
        assert (done.rows, done.labels, done.before) == expected
        assert [row[4] for row in sink.rows()] == ["v1", "new"]
        assert [row[1:] for row in sink.labelled(VERSION)] == [
            ("no", "no", 0.3),
            ("yes", "no", 0.2),
        ]
        assert sink.add_ground_truth({}, at(0)) == 0
        again = prune(sink, limits, now)
        assert (again.rows, again.labels) == (0, 0)

    def test_the_oldest_answers_beyond_the_size_are_deleted(self, sink: Sink) -> None:
        for second in range(60):
            sink.write(rows_of(answered(f"r{second}", ["a"] * 500, [0.5] * 500, time=at(second))))
        done = prune(sink, LogSection(max_mb=2), at(0, day=9))
        assert 5_000 < done.rows < 25_000
        times = [row[2] for row in sink.rows()]
        assert len(times) == 30_000 - done.rows
        assert times[-1] == "2026-01-03T12:00:59.000000Z"
        assert prune(sink, LogSection(max_mb=2), at(0, day=9)).rows <= 1_000
        assert prune(sink, LogSection(max_mb=50), at(0, day=9)).before is None

    def test_of_a_request_beyond_the_size_only_the_first_rows_are_deleted(self, sink: Sink) -> None:
        ids = [f"v{number}" for number in range(30_000)]
        sink.write(rows_of(answered("r1", ids, [0.5] * 30_000, time=at(0, day=4))))
        sink.add_ground_truth({"v0": "yes", "v29999": "no"}, at(0))
        limits = LogSection(max_mb=2, keep_days=30)
        dry = prune(sink, limits, at(0, day=9), dry_run=True)
        assert sink.answered() == {VERSION: 30_000}
        done = prune(sink, limits, at(0, day=9))
        assert 5_000 < done.rows < 25_000
        assert (done.labels, done.before) == (1, at(0, day=4))
        assert (dry.rows, dry.before) == (done.rows, done.before)
        kept = [row[1] for row in sink.rows()]
        assert kept == list(range(done.rows + 1, 30_001))

    def test_nothing_is_deleted_without_limits_from_an_empty_log_or_once_stopped(
        self, sink: Sink
    ) -> None:
        now = at(0, day=9)
        assert prune(sink, LogSection(keep_days=1, max_mb=1), now).rows == 0
        sink.write(rows_of(answered("r1", ["a"] * 10, [0.5] * 10)))
        assert prune(sink, LogSection(), now).rows == 0
        assert prune(sink, LogSection(keep_days=1), now, stopped=lambda: True).rows == 0
        assert sink.answered() == {VERSION: 10}

    def test_rows_written_while_the_log_is_pruned_are_kept(
        self, open_sink: OpenSink, sink: Sink
    ) -> None:
        sink.write(rows_of(answered("r1", ["a"] * 9_000, [0.5] * 9_000)))
        other, written = open_sink(), 0

        def write_one() -> bool:
            nonlocal written
            new = answered(f"n{written}", ["b"], [0.5], time=at(written, day=8))
            written += other.write(rows_of(new))
            return False

        assert prune(sink, LogSection(keep_days=2), at(0, day=9), stopped=write_one).rows == 9_000
        assert written > 3
        assert sink.answered() == {VERSION: written}
        other.close()

    def test_several_write_at_once_and_every_row_is_there_once(self, open_sink: OpenSink) -> None:
        def work(number: int) -> None:
            writer = open_sink()
            for turn in range(15):
                rows = rows_of(answered(f"{number}-{turn}", ["a"] * 20, [0.5] * 20))
                while True:
                    try:
                        writer.write(rows)
                        break
                    except SourceUnavailable:
                        continue  # the log tries again, too
            writer.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink = open_sink()
        assert sink.answered() == {VERSION: 4 * 15 * 20}
        sink.close()


class TestSqlite(SinkContract):
    @pytest.fixture
    def open_sink(self, tmp_path: Path) -> OpenSink:
        folder = tmp_path / "sink"
        folder.mkdir()
        return lambda table=PREDICTIONS: SqliteSink(folder / "log.sqlite", table=table)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.mark.postgres
class TestPostgres(SinkContract):
    @pytest.fixture
    def open_sink(self, cluster: Postgres) -> OpenSink:
        cluster.empty()
        return lambda table=PREDICTIONS: PostgresSink(cluster.url, table)

    def test_a_stopped_server_is_an_outage_and_a_restarted_one_works_again(
        self, cluster: Postgres, sink: Sink
    ) -> None:
        rows = rows_of(answered("r1", ["a"], [0.5]))
        assert sink.write(rows) == 1
        cluster.stop()
        try:
            for _ in range(2):
                with pytest.raises(SourceUnavailable) as caught:
                    sink.write(rows)
                assert "secret-word" not in caught.value.message
        finally:
            cluster.start()
        assert sink.write(rows) == 0
        assert sink.answered() == {VERSION: 1}

    def test_a_batch_that_comes_again_changes_nothing(self, sink: Sink) -> None:
        first, second = (answered(name, ["a", "b"], [0.1, 0.9]) for name in ("r1", "r2"))
        assert sink.write(rows_of(first)) == 2
        assert sink.write(rows_of(first, second)) == 2
        assert sink.write(rows_of(first, second)) == 0
        assert sink.answered() == {VERSION: 4}

    def test_of_a_large_table_a_sample_is_measured_and_not_too_much_deleted(
        self, sink: Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for second in range(30):
            sink.write(rows_of(answered(f"r{second}", ["a"] * 500, [0.5] * 500, time=at(second))))
        exact = sink.rows_beyond(1 << 20)
        monkeypatch.setattr("lightmodel.predictions.postgres._SAMPLE_PAGES", 100)
        monkeypatch.setattr("lightmodel.predictions.postgres._SAMPLE_ERROR", 0.2)
        assert exact / 2 < sink.rows_beyond(1 << 20) < exact

    @pytest.mark.parametrize("url", ["postgresql://app:secret word@host", "no url secret"])
    def test_an_invalid_url_is_reported_without_its_secret(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            PostgresSink(url)
        assert "secret" not in caught.value.message
