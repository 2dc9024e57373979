"""Models are taken back and removed, and the one in use stays."""

import pytest

from lightmodel.errors import ArtefactMissing
from lightmodel.store.admin import RollbackResult, retire, rollback
from lightmodel.store.verdict import read_verdict
from tests.unit.store.approved_models import UNSIGNED, model, store


def test_rollback_withdraws_and_deletes_nothing() -> None:
    old, new = model(), model()
    assert rollback(store()) == RollbackResult(new.name, old.name)
    verdict = read_verdict(new, UNSIGNED)
    assert verdict is not None
    assert (verdict.passed, verdict.by, verdict.reasons[0]) == (
        False,
        "rollback",
        "withdrawn by rollback",
    )
    assert (new.folder / "model.joblib").exists()


def test_the_last_approved_model_is_withdrawn_by_force_only() -> None:
    only = model()
    with pytest.raises(ArtefactMissing, match="no approved model would be left"):
        rollback(store())
    assert rollback(store(), force=True).served == ""
    with pytest.raises(ArtefactMissing, match="is not approved"):
        rollback(store(), only.name)


def test_retiring_keeps_the_newest_and_the_one_in_use() -> None:
    served = model()
    names = [model(passed=False).name for _ in range(4)]
    assert retire(store(), 2) == names[1::-1]
    assert {version.name for version in store().versions()} == {served.name, *names[2:]}
