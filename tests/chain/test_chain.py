"""The chain on a small table, run as a user runs it."""

import json
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pytest

from tests.fakes.project import SETTINGS, Project
from tests.fakes.tables import shop_table
from tests.fakes.waiting import wait_until

MODEL_FILES = {
    *("model.joblib", "metrics.json", "cv_results.csv", "contract.json", "profile.json"),
    *("checks.json", "reference.parquet"),
    *("feature_importance_gain.json", "feature_importance_gain.png"),
    *("feature_importance_split.json", "feature_importance_split.png"),
    *("requirements.txt", "python_env.yaml", "manifest.json", "report.html", "verdict.json"),
}


def did(out: str) -> dict[str, str]:
    """Return what run.py did with each stage, from the table at the end of its output."""
    return dict(
        re.findall(r"^(preprocess|train|testing)\s+(made|reused|would \w+)", out, re.MULTILINE)
    )


def test_one_command_makes_an_approved_model_and_a_report(project: Project) -> None:
    ran = project.run("--set", "train.compile=auto")
    assert (ran.code, did(ran.out)) == (
        0,
        {"preprocess": "made", "train": "made", "testing": "made"},
    ), ran.err
    (split,), (model,) = project.splits(), project.models()
    compiled = {"compiled.so", "compiled.npy", "compiled.json"}  # where there is a C compiler
    assert {path.name for path in model.iterdir()} - compiled == MODEL_FILES
    verdict = json.loads((model / "verdict.json").read_bytes())
    assert verdict["passed"]
    manifest = json.loads((model / "manifest.json").read_bytes())
    assert manifest["inputs"]["split"] == split.name
    assert manifest["task"] == {"kind": "binary", "labels": ["no", "yes"]}
    assert len(manifest["samples"]) == 5
    assert "report.html" in ran.out
    report = (model / "report.html").read_text(encoding="utf-8")
    splits = json.loads((model / "feature_importance_split.json").read_bytes())
    (most,) = re.findall(r">Splits</th>.*?<td>(\d+)</td></tr>", report, re.DOTALL)
    assert most in {str(round(count)) for count in splits.values()}


def test_a_second_run_does_nothing_and_says_why(approved: Project) -> None:
    before = {path: path.stat().st_mtime_ns for path in approved.folder.rglob("*")}
    ran = approved.run()
    assert did(ran.out) == {"preprocess": "reused", "train": "reused", "testing": "reused"}
    assert "nothing changed" in ran.out
    changed = {
        path.name
        for path, when in before.items()
        if path.is_file() and path.stat().st_mtime_ns != when
    }
    assert changed <= {".run.lock"}
    assert len(approved.models()) == 1


def test_only_what_a_change_concerns_is_done_again(approved: Project) -> None:
    assert did(approved.run("--set", "serve.port=5002").out)["train"] == "reused"
    ran = approved.run("--set", "train.seed=1")
    assert did(ran.out) == {"preprocess": "reused", "train": "made", "testing": "made"}
    assert "parameters changed" in ran.out
    ran = approved.run("--set", "gate.minimum=0.6")
    assert did(ran.out)["train"] == "reused"
    arrow_csv.write_csv(shop_table(700), approved.folder / "shop.csv")
    ran = approved.run()
    assert did(ran.out) == {"preprocess": "made", "train": "made", "testing": "made"}
    assert "inputs changed" in ran.out


def test_force_does_everything_again_to_the_same_bytes_on_any_number_of_threads(
    project: Project,
) -> None:
    stages = ("preprocess", "train")
    project.run(*stages, "--set", "train.threads=2", PYTHONHASHSEED="1")
    again = project.run(*stages, "--force", "--set", "train.threads=1", PYTHONHASHSEED="2")
    assert did(again.out) == dict.fromkeys(stages, "made")
    first, second = project.models()
    assert (first / "model.joblib").read_bytes() == (second / "model.joblib").read_bytes()
    one, other = project.splits()
    assert (one / "train.csv").read_bytes() == (other / "train.csv").read_bytes()
    assert (one / "test.csv").read_bytes() == (other / "test.csv").read_bytes()


def test_a_dry_run_changes_nothing(project: Project) -> None:
    ran = project.run("--dry-run")
    assert ran.code == 0
    assert set(did(ran.out).values()) == {"would look", "would run"}
    assert not project.splits()


def test_stages_run_alone_on_the_newest_versions(project: Project) -> None:
    assert project.run(script="train.py").code == 66
    assert project.run(script="testing.py").code == 66
    assert project.run(script="preprocess.py").code == 0
    assert project.run("--from", "train", "--to", "train").code == 0
    assert project.run(script="testing.py").code == 0
    assert project.run("--from", "testing", "--to", "train").code == 2


def test_a_few_bad_rows_do_not_spare_a_worse_candidate_the_comparison(approved: Project) -> None:
    table = shop_table()
    tested = arrow_csv.read_csv(approved.splits()[0] / "test.csv")["visit_id"]
    is_tested = pc.is_in(table["visit_id"], value_set=tested).to_numpy()
    ages = np.where(is_tested, table["age"].to_numpy(), 98 - table["age"].to_numpy())
    gaps = pa.array(ages, mask=np.arange(table.num_rows) % 60 == 0)
    arrow_csv.write_csv(table.set_column(1, "age", gaps), approved.folder / "shop.csv")
    strict = ("--set", "serve.on_missing=refuse")
    ran = approved.run("--set", "data.contract=new", *strict)
    assert ran.code == 10, ran.err
    assert re.search(r"\d of 185 test rows break the contract of ", ran.err)
    verdict = json.loads((approved.models()[-1] / "verdict.json").read_bytes())
    reasons = " ".join(verdict["reasons"])
    assert re.search(r"rows that satisfy its contract, of 185 .* falls behind", reasons)
    report = (approved.models()[-1] / "report.html").read_text(encoding="utf-8")
    assert "that satisfy the served model's contract, of 185" in report

    ran = approved.run("--set", "data.contract=new")  # the service scores rows with gaps
    assert (ran.code, did(ran.out)["testing"]) == (10, "made")
    assert "break the contract of" not in ran.err
    verdict = json.loads((approved.models()[-1] / "verdict.json").read_bytes())
    assert "falls behind" in " ".join(verdict["reasons"])


def test_a_candidate_that_cannot_be_compared_needs_a_setting_to_pass(approved: Project) -> None:
    table = shop_table().rename_columns(["visit_id", "years", "spent", "where", "bought"])
    arrow_csv.write_csv(table, approved.folder / "shop.csv")
    ran = approved.run("--set", "data.contract=new")
    assert ran.code == 10, ran.err
    assert "set gate.allow_uncompared = true" in ran.err
    report = (approved.models()[-1] / "report.html").read_text(encoding="utf-8")
    assert "Not compared with the served model: only 0 of the 185 test rows" in report
    ran = approved.run("--set", "data.contract=new", "--set", "gate.allow_uncompared=true")
    assert ran.code == 0, ran.err


def test_a_rejected_candidate_exits_10_and_leaves_the_old_model(approved: Project) -> None:
    served = approved.models()[0].name
    ran = approved.run("--set", "gate.minimum=0.999", "--set", "train.seed=1")
    assert ran.code == 10
    assert "is below gate.minimum 0.999" in ran.err
    assert did(ran.out)["testing"] == "made"
    listing = approved.tool("models").out
    assert re.search(rf"→ {served}", listing)
    assert "rejected" in listing
    again = approved.run("--set", "gate.minimum=0.999", "--set", "train.seed=1")
    assert (again.code, did(again.out)["testing"]) == (10, "reused")


def test_a_served_model_stays_approved_when_the_gate_gets_stricter(approved: Project) -> None:
    (served,) = approved.models()
    before = (served / "verdict.json").read_bytes()
    for _ in range(2):
        ran = approved.run("--set", "gate.minimum=0.999")
        assert ran.code == 10
        assert "would not be approved now" in ran.err
        assert "is below gate.minimum 0.999" in ran.err
        assert "models rollback" in ran.err
    assert (served / "verdict.json").read_bytes() == before
    assert f"→ {served.name}" in approved.tool("models").out


def test_a_promoted_model_stays_so_when_it_is_tested_again(approved: Project) -> None:
    canary = ("--set", "serve.canary=0.3")
    approved.run("--set", "train.seed=1")
    newest = approved.models()[-1].name
    assert approved.tool("models", *canary, "promote").code == 0
    ran = approved.run("--set", "train.seed=1", "--set", "gate.minimum=0.51", *canary)
    assert (ran.code, did(ran.out)["testing"]) == (0, "made"), ran.err
    assert f"→ {newest}" in approved.tool("models", *canary).out


def test_a_model_of_noise_is_not_approved(project: Project) -> None:
    table = shop_table()
    noise = table.set_column(4, "bought", pa.array(["yes", "no"] * (table.num_rows // 2)))
    arrow_csv.write_csv(noise, project.folder / "shop.csv")
    ran = project.run()
    assert ran.code == 10
    assert "does not beat the dummy's" in ran.err


def test_a_leak_is_named_in_log_report_and_verdict_and_left_out_by_a_setting(
    project: Project,
) -> None:
    table = shop_table()
    copied = table.append_column("outcome", pc.equal(table["bought"], "yes"))
    arrow_csv.write_csv(copied, project.folder / "shop.csv")
    ran = project.run()
    assert ran.code == 0, ran.err
    named = "column 'outcome' alone decides the target"
    assert named in ran.err
    assert any(named in one for one in json.loads(read(project, "verdict.json"))["reasons"])
    assert read(project, "report.html").replace("&#39;", "'").count(named) == 2
    assert project.tool("models", "rollback", "--force").code == 0
    assert project.run("--set", 'data.ignore=["outcome"]').code == 0
    assert "outcome" not in json.loads(read(project, "feature_importance_gain.json"))


def read(project: Project, name: str) -> str:
    return (project.models()[-1] / name).read_text(encoding="utf-8")


def test_the_candidate_is_compared_with_the_served_model(approved: Project) -> None:
    arrow_csv.write_csv(shop_table(900), approved.folder / "shop.csv")
    assert approved.run().code == 0
    reasons = " ".join(json.loads((approved.models()[-1] / "verdict.json").read_bytes())["reasons"])
    assert "rows that neither model was trained on" in reasons


def test_rollback_brings_the_old_model_back_and_the_next_run_does_not_undo_it(
    approved: Project,
) -> None:
    approved.run("--set", "train.seed=1")
    old, new = (model.name for model in approved.models())
    ran = approved.tool("models", "rollback")
    assert (f"withdrawn: {new}" in ran.out, f"served now: {old}" in ran.out) == (True, True)
    assert approved.run("--set", "train.seed=1").code == 10
    assert f"→ {old}" in approved.tool("models").out


def test_killed_in_a_fold_the_next_run_goes_on_and_ends_in_the_same_bytes(
    project: Project,
) -> None:
    slow = ["--set", "train.parameters={num_leaves = 16, max_rounds = 1000, patience = 1000}"]
    project.run("preprocess")
    finished = project.folder / "var" / "checkpoints"
    code = project.kill_when(
        ["train", *slow], lambda: len([p for p in finished.rglob("*") if p.is_file()]) >= 2
    )
    assert code == -9
    assert not project.models()
    ran = project.run("train", *slow)
    assert ran.code == 0, ran.err
    assert "is resumed from its checkpoint" in ran.err
    project.run("train", "--force", *slow)
    resumed, whole = project.models()
    assert (resumed / "model.joblib").read_bytes() == (whole / "model.joblib").read_bytes()
    assert not any(path.is_file() for path in finished.rglob("*"))


def test_interrupted_by_the_user_it_ends_at_once_with_its_own_code(project: Project) -> None:
    slow = [
        "--set",
        "train.parameters={num_leaves = 16, max_rounds = 10000000, patience = 10000000}",
    ]
    with project.started(*slow) as process:
        log = project.folder / "run.log"
        wait_until(
            lambda: "cross-validation: started" in log.read_text(encoding="utf-8"),
            "the start of the training",
            process=process,
            seconds=300,
        )
        cpu_times = psutil.Process(process.pid).cpu_times
        used = cpu_times().user
        wait_until(lambda: cpu_times().user > used + 2, "work in LightGBM", process=process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 130


def test_a_stray_model_is_adopted_tested_and_then_served(approved: Project) -> None:
    made = approved.models()[0]
    stray = approved.folder / "model" / "better.joblib"
    stray.write_bytes((made / "model.joblib").read_bytes())
    ran = approved.tool("models", "adopt", str(stray))
    assert ran.code == 0, ran.err
    adopted = approved.models()[-1]
    assert adopted != made
    assert approved.run("testing").code == 0
    assert f"→ {adopted.name}" in approved.tool("models").out
    stray.write_bytes(b"rubbish")
    assert approved.tool("models", "adopt", str(stray)).code == 74


def test_old_models_are_retired_but_not_the_one_in_use(approved: Project) -> None:
    project = approved
    for seed in range(1, 3):
        project.run("--set", f"train.seed={seed}", "--set", f"gate.minimum={0.5 + seed / 4}")
    names = [model.name for model in project.models()]
    assert len(names) == 3
    ran = project.tool("models", "--set", "store.keep=1", "retire")
    assert ran.code == 0, ran.err
    left = [model.name for model in project.models()]
    assert left[-1] == names[-1]
    served = re.search(r"→ (\S+)", project.tool("models").out)
    assert served is not None
    assert served.group(1) in left
    assert len(left) < 3
    assert "columns:" in project.tool("models", "show", left[-1]).out


def test_two_runs_at_once_do_not_mix(project: Project) -> None:
    slow = ["--set", "train.parameters={num_leaves = 16, max_rounds = 200000, patience = 200000}"]
    codes = []

    def second() -> bool:
        if not project.splits():
            return False
        codes.append(project.run())
        return True

    project.kill_when(slow, second)
    assert codes[0].code == 75
    assert "another run" in codes[0].err
    assert project.run().code == 0


def test_the_published_test_table_has_the_columns_of_the_source(
    approved: Project,
) -> None:
    header = (approved.splits()[0] / "test.csv").read_text(encoding="utf-8").splitlines()[0]
    assert [name.strip('"') for name in header.split(",")] == shop_table().column_names


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"target": '"price"'}, 65, "no column 'price'"),
        ({"source": '"nowhere.csv"'}, 65, "nowhere.csv"),
        ({"source": '"ftp://x/y.csv"'}, 78, "ftp"),
        ({"sorce": '"x"'}, 78, "did you mean 'source'?"),
    ],
)
def test_a_mistake_is_one_message_and_its_own_code(
    project: Project, change: dict[str, str], code: int, message: str
) -> None:
    lines = {"source": '"shop.csv"', "target": '"bought"', **change}
    project.settings("[data]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items()))
    ran = project.run()
    assert ran.code == code
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_changed_schema_is_refused_until_it_is_accepted(approved: Project) -> None:
    changed = shop_table(seed=1).drop_columns(["where"])
    arrow_csv.write_csv(changed, approved.folder / "shop.csv")
    ran = approved.run()
    assert ran.code == 65
    assert "column 'where': is not in the table" in ran.err
    assert "data.contract=new" in ran.err
    ran = approved.run("--set", "data.contract=new")  # no row satisfies the served model's contract
    assert ran.code == 10
    assert "gate.allow_uncompared = true" in ran.err
    accepted = ("--set", "data.contract=new", "--set", "gate.allow_uncompared=true")
    assert approved.run(*accepted).code == 0


@pytest.mark.parametrize(
    "sets",
    [
        ["train.final=ensemble"],
        ["data.format=parquet"],
        ["split.method=random"],
        ["split.method=group:where"],
        ["split.method=time:age", "train.threshold=cost", "train.cost_false_negative=5"],
        ["train.estimator=sklearn.svm.SVC", "train.parameters={}"],
        ["train.estimator=sklearn.linear_model.LogisticRegression", "train.parameters={C = 0.5}"],
        ["data.target=age"],
        ["data.target=where"],
    ],
    ids=lambda sets: sets[0],
)
def test_other_settings_end_in_a_verdict(project: Project, sets: list[str]) -> None:
    ran = project.run(*(word for item in sets for word in ("--set", item)))
    assert ran.code in {0, 10}, ran.err
    assert (project.models()[0] / "verdict.json").exists()


def test_a_metric_that_is_undefined_in_a_fold_does_not_stop_the_chain(project: Project) -> None:
    table = shop_table(200)
    rare = ["yes" if row < 8 else "no" for row in range(200)]
    table = table.set_column(4, "bought", pa.array(rare))
    arrow_csv.write_csv(table, project.folder / "shop.csv")
    ran = project.run("--set", "train.folds=10")
    assert ran.code in {0, 10}, ran.err
    metrics = json.loads((project.models()[0] / "metrics.json").read_bytes())
    assert None in {fold["metrics"]["auc"] for fold in metrics["folds"]}


def test_it_works_without_git(project: Project) -> None:
    ran = project.run(PATH=str(Path("/nonexistent")))
    assert ran.code == 0, ran.err
    assert json.loads((project.models()[0] / "manifest.json").read_bytes())["commit"] is None


def test_signing_refuses_what_is_not_signed(approved: Project) -> None:
    key = {"LIGHTMODEL__STORE__SIGNING_KEY": "hush"}
    ran = approved.run(**key)
    assert ran.code == 0, ran.err
    assert len(approved.models()) == 2
    assert "hush" not in ran.err + ran.out
    text = "".join(
        path.read_text(encoding="utf-8", errors="replace")
        for path in approved.models()[1].iterdir()
    )
    assert "hush" not in text


def test_a_damaged_model_is_detected_and_trained_again(approved: Project) -> None:
    model = approved.models()[0] / "model.joblib"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    assert approved.tool("models", "verify").code == 74
    ran = approved.run()
    assert (ran.code, did(ran.out)["train"]) == (0, "made"), ran.err
    assert "is damaged" in ran.out


def test_a_moved_store_still_works(approved: Project) -> None:
    other = approved.folder.parent / f"{approved.folder.name}-moved"
    shutil.copytree(approved.folder, other)
    moved = Project(other)
    assert set(did(moved.run().out).values()) == {"reused"}


def test_settings_and_codes_are_printed_without_running(project: Project) -> None:
    ran = project.run("--print-config", "--set", "data.target=age")
    assert 'target = "age"' in ran.out
    assert "--set data.target" in ran.out
    assert "config.toml" in ran.out
    assert "quality gate" in project.run("--exit-codes").out
    assert not project.splits()
    assert SETTINGS
