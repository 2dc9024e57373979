"""A search for what to try instead can be repeated from remembered values."""

import math

from lightmodel.search.base import Range, RejectedBaseline
from lightmodel.search.studies import ListedSearch, OptunaSearch

RANGES = (
    Range("num_leaves", 2, 64, whole=True, log=True),
    Range("learning_rate", 0.02, 0.5, log=True),
)
BASELINE = RejectedBaseline({}, 0.7, higher_is_better=True)


def begun(seed: int = 0) -> OptunaSearch:
    first = {"num_leaves": 8, "learning_rate": 0.1}
    return OptunaSearch(RANGES, {"max_rounds": 9}, first, BASELINE, seed)


def walked(search: OptunaSearch, steps: int, value: float = 0.5) -> list[dict[str, object]]:
    found = []
    for _ in range(steps):
        asked = search.ask()
        assert asked is not None
        found.append(asked)
        search.tell(value)
    return found


def test_the_same_answers_give_the_same_questions() -> None:
    assert walked(begun(), 8) == walked(begun(), 8)
    assert walked(begun(1), 8) != walked(begun(), 8)


def test_every_set_is_new_within_the_ranges_and_complete() -> None:
    sets = walked(begun(), 15)
    assert len({tuple(sorted(one.items(), key=str)) for one in sets}) == 15
    for one in sets:
        assert one["max_rounds"] == 9
        assert 2 <= float(str(one["num_leaves"])) <= 64


def test_an_undefined_value_is_learnt_from_as_a_failure() -> None:
    assert len(walked(begun(), 6, math.nan)) == 6


def test_where_the_ranges_hold_no_more_there_is_an_end() -> None:
    ranges = (Range("num_leaves", 2, 4, whole=True),)
    search = OptunaSearch(ranges, {}, {"num_leaves": 3}, BASELINE, 0)
    found = []
    while (asked := search.ask()) is not None:
        found.append(asked["num_leaves"])
        search.tell(0.5)
    assert sorted(found) == [2, 4]
    nothing = OptunaSearch((), {}, {}, BASELINE, 0)
    assert nothing.ask() is None


def test_a_list_is_gone_through_in_its_order() -> None:
    search = ListedSearch([{"width": 2}, {"width": 4}])
    first = search.ask()
    search.tell(0.1)
    assert (first, search.ask(), search.ask()) == ({"width": 2}, {"width": 4}, None)
