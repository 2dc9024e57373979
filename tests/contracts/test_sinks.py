"""What every sink promises (`lightmodel.predictions.base.Sink`), kept by each of them."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lightmodel.contract.task import Label, label_name
from lightmodel.errors import ConfigError, DataError, SourceUnavailable
from lightmodel.predictions.base import Sink
from lightmodel.predictions.csv_file import CsvSink
from lightmodel.predictions.postgres import PostgresSink
from lightmodel.predictions.sqlite import SqliteSink
from tests.fakes.answers import LATER, VERSION, answered, at, lines
from tests.fakes.postgres import Postgres, postgres

OpenSink = Callable[[], Sink]


class SinkContract:
    """What holds for every sink; a subclass gives the fixture `open_sink`."""

    @pytest.fixture
    def open_sink(self) -> OpenSink:
        raise NotImplementedError

    @pytest.fixture
    def sink(self, open_sink: OpenSink) -> Iterator[Sink]:
        opened = open_sink()
        yield opened
        opened.close()

    def test_a_batch_is_kept_once_however_often_it_comes(self, sink: Sink) -> None:
        batch = lines(answered("r1", ["a", "b"], [0.1, 0.9]), answered("r2", ["c"], [0.4]))
        assert sink.write(batch) == 3
        assert sink.write(batch) == 0
        sink.close()
        assert sink.write(batch) == 0
        assert sink.answered() == {VERSION: 3}

    def test_rows_of_every_version_are_counted_oldest_first(self, sink: Sink) -> None:
        sink.write(lines(answered("r1", ["a"], [0.1], version=LATER)))
        sink.write(lines(answered("r2", ["a", "b"], [0.1, 0.2])))
        assert list(sink.answered().items()) == [(VERSION, 2), (LATER, 1)]

    def test_nothing_written_is_nothing_answered(self, sink: Sink) -> None:
        assert sink.answered() == {}
        assert len(sink.judged(VERSION).truths) == 0

    def test_an_answer_and_its_truth_meet_by_id(self, sink: Sink) -> None:
        sink.write(lines(answered("r1", ["a", "b", "c"], [0.1, 0.9, 0.3])))
        assert sink.add_truths({"c": "yes", "b": "no", "nobody": "no"}, at(1)) == 2
        judged = sink.judged(VERSION)
        assert [label_name(value) for value in judged.predictions] == ["yes", "no"]
        assert list(judged.probabilities) == [0.9, 0.3]
        assert list(judged.truths) == ["no", "yes"]
        assert len(sink.judged(LATER).truths) == 0

    def test_a_truth_may_come_before_its_answer(self, sink: Sink) -> None:
        assert sink.add_truths({"a": "no"}, at(0)) == 0
        sink.write(lines(answered("r1", ["a"], [0.9])))
        assert list(sink.judged(VERSION).truths) == ["no"]

    def test_the_latest_truth_of_an_id_holds(self, sink: Sink) -> None:
        sink.write(lines(answered("r1", ["a"], [0.9])))
        assert [sink.add_truths({"a": truth}, at(1)) for truth in ("no", "yes")] == [1, 1]
        assert list(sink.judged(VERSION).truths) == ["yes"]

    def test_the_last_answer_to_an_id_counts(self, sink: Sink) -> None:
        sink.write(lines(answered("r2", ["a"], [0.7], time=at(9, day=4))))
        sink.write(lines(answered("r3", ["a", "a"], [0.2, 0.3], time=at(8, day=4))))
        sink.add_truths({"a": "yes"}, at(1))
        assert list(sink.judged(VERSION).probabilities) == [0.7]
        last = answered("r1", ["a"] * 12, [0.5] * 11 + [0.6], time=at(10, day=4))
        sink.write(lines(last))
        assert list(sink.judged(VERSION).probabilities) == [0.6]

    def test_whatever_an_id_is_written_with_comes_back(self, sink: Sink) -> None:
        ids = ["007", "7", 'a "quoted", one', "two\nlines", "ÅÄ\u2028", "nul\0", "\\u0000", "'; --"]
        sink.write(lines(answered("r1", ids, [0.5] * len(ids))))
        known = {key.replace("\0", "\ufffd"): "yes" for key in ids}
        assert sink.add_truths(known, at(1)) == len(ids)
        assert len(sink.judged(VERSION).truths) == len(ids)

    def test_rows_without_an_id_are_answered_and_never_judged(self, sink: Sink) -> None:
        sink.write(lines(answered("r1", None, [0.5, 0.6])))  # type: ignore[arg-type]  # no id column
        sink.add_truths({"a": "yes"}, at(1))
        assert sink.answered() == {VERSION: 2}
        assert len(sink.judged(VERSION).truths) == 0

    @pytest.mark.parametrize(
        ("prediction", "probability"),
        [("good", {"bad": 0.25, "good": 0.75}), (True, 0.75), (3, 0.125), (0.1 + 0.2, None)],
    )
    def test_every_kind_of_answer_comes_back(
        self, sink: Sink, prediction: Label, probability: object
    ) -> None:
        rows = answered("r1", ["a"], [0.5], features={"x": [1.5]})
        sink.write(lines(replace(rows, predictions=[prediction], probabilities=[probability])))
        sink.add_truths({"a": "whatever"}, at(1))
        judged = sink.judged(VERSION)
        assert [label_name(value) for value in judged.predictions] == [label_name(prediction)]
        assert list(judged.probabilities) == [probability]

    def test_a_batch_over_midnight_is_kept_whole(self, sink: Sink) -> None:
        midnight = at(0) + timedelta(hours=12)
        late = answered("r1", ["a"], [0.5], time=midnight - timedelta(microseconds=1))
        assert sink.write(lines(late, answered("r2", ["b"], [0.5], time=midnight))) == 2
        assert sink.answered() == {VERSION: 2}

    def test_bytes_that_are_no_batch_are_refused_and_nothing_of_them_is_kept(
        self, sink: Sink
    ) -> None:
        good = lines(answered("r1", ["a"], [0.5]))
        for bad in (good + good[:40] + b"\n", good + b"\0" * 20 + b"\n", good + b"\xff\n"):
            with pytest.raises(DataError):
                sink.write(bad)
        assert sink.answered() == {}
        assert sink.write(good) == 1

    def test_several_write_at_once_and_every_row_is_there_once(self, open_sink: OpenSink) -> None:
        def work(number: int) -> None:
            own = open_sink()
            for turn in range(15):
                batch = lines(answered(f"{number}-{turn}", ["a"] * 20, [0.5] * 20))
                while True:
                    try:
                        own.write(batch)
                        break
                    except SourceUnavailable:
                        continue  # as the spool does
            own.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink = open_sink()
        assert sink.answered() == {VERSION: 4 * 15 * 20}
        sink.close()


class FileSinkContract(SinkContract):
    """What holds for the sinks that write into a folder."""

    def test_a_folder_that_is_gone_is_an_outage_until_it_is_back(
        self, open_sink: OpenSink, tmp_path: Path
    ) -> None:
        folder = tmp_path / "sink"
        folder.rmdir()
        folder.write_text("in the way")
        sink = open_sink()
        batch = lines(answered("r1", ["a"], [0.5]))
        with pytest.raises(SourceUnavailable) as caught:
            sink.write(batch)
        assert caught.value.hint
        folder.unlink()
        folder.mkdir()
        assert sink.write(batch) == 1
        sink.close()


class TestSqlite(FileSinkContract):
    @pytest.fixture
    def open_sink(self, tmp_path: Path) -> OpenSink:
        folder = tmp_path / "sink"
        folder.mkdir()
        return lambda: SqliteSink(folder)


class TestCsv(FileSinkContract):
    @pytest.fixture
    def open_sink(self, tmp_path: Path) -> OpenSink:
        folder = tmp_path / "sink"
        folder.mkdir()
        return lambda: CsvSink(folder)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.mark.postgres
class TestPostgres(SinkContract):
    @pytest.fixture
    def open_sink(self, cluster: Postgres) -> OpenSink:
        cluster.empty()
        return lambda: PostgresSink(cluster.url)

    def test_stopped_it_is_an_outage_and_started_it_works_again(
        self, cluster: Postgres, sink: Sink
    ) -> None:
        batch = lines(answered("r1", ["a"], [0.5]))
        assert sink.write(batch) == 1
        cluster.stop()
        try:
            for _ in range(2):
                with pytest.raises(SourceUnavailable) as caught:
                    sink.write(batch)
                assert "secret-word" not in caught.value.message
        finally:
            cluster.start()
        assert sink.write(batch) == 0
        assert sink.answered() == {VERSION: 1}

    @pytest.mark.parametrize("url", ["postgresql://app:secret word@host", "no url secret"])
    def test_a_url_that_is_none_is_said_without_its_secret(self, url: str) -> None:
        with pytest.raises(ConfigError) as caught:
            PostgresSink(url)
        assert "secret" not in caught.value.message
