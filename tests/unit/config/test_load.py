"""Settings from file, environment and command line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightmodel.config import Config, load
from lightmodel.config.base import RENAMED_SETTINGS
from lightmodel.errors import ConfigError


def write_settings(text: str) -> Path:
    path = Path("settings.toml")
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_valid_and_holds_the_defaults() -> None:
    assert load(write_settings(""), environ={}).config == Config()


def test_no_file_at_all_is_valid() -> None:
    assert load(environ={}).config == Config()


def test_a_missing_named_file_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(Path("nowhere.toml"), environ={})


def test_a_later_origin_wins_and_is_remembered() -> None:
    file = write_settings("[data]\ntarget = 'file'\nid = 'file'\nsource = 'file'")
    environ = {"LIGHTMODEL__DATA__TARGET": "environment", "LIGHTMODEL__DATA__ID": "environment"}
    loaded = load(file, ["data.target=command line"], environ)
    assert loaded.config.data.target == "command line"
    assert loaded.config.data.id == "environment"
    assert loaded.config.data.source == "file"
    assert loaded.origins == {
        "data.target": "--set data.target",
        "data.id": "LIGHTMODEL__DATA__ID",
        "data.source": "settings.toml",
    }


def test_all_mistakes_are_reported_together() -> None:
    file = write_settings(
        "[data]\nsorce = 'a'\nretries = 'many'\n[trian]\nfolds = 3\n[train]\nfolds = 1"
    )
    with pytest.raises(ConfigError) as caught:
        load(
            file,
            ["serve.port=99999", "train.fold=3", "nonsense"],
            {"LIGHTMODEL__GATE__MINIMM": "1"},
        )
    message = caught.value.message
    assert message.startswith("the configuration has 8 mistakes")
    for part in (
        "settings.toml: data.sorce: unknown key; did you mean 'source'?",
        "settings.toml: data.retries: found 'many'",
        "unknown section 'trian'; did you mean 'train'?",
        "settings.toml: train.folds: found 1; input should be greater than or equal to 2",
        "- --set serve.port: found '99999'",
        "- --set train.fold: unknown key; did you mean 'folds'?",
        "--set nonsense: must be section.key=value",
        "LIGHTMODEL__GATE__MINIMM: gate.minimm: unknown key; did you mean 'minimum'?",
    ):
        assert part in message


def test_command_line_values_take_the_type_of_their_key() -> None:
    sets = [
        "data.id=0123",
        "data.mirrors=['a', 'b']",
        "gate.minimum=0.5",
        "train.parameters={num_leaves = 7}",
    ]
    config = load(sets=sets, environ={}).config
    assert config.data.id == "0123"
    assert config.data.mirrors == ("a", "b")
    assert config.gate.minimum == 0.5
    assert config.train.parameters == {"num_leaves": 7}


def test_an_empty_value_unsets_an_optional_setting() -> None:
    file = write_settings("[gate]\nminimum = 0.5")
    assert load(file, ["gate.minimum="], {}).config.gate.minimum is None


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("split", "method", "time"),
        ("split", "method", "tme:when"),
        ("train", "estimator", "SVC"),
        ("data", "sha256", "abc"),
        ("gate", "metric", "acuracy"),
        ("split", "test_share", "1.0"),
    ],
)
def test_an_invalid_value_is_rejected(section: str, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{section}\.{key}: found '{value}'"):
        load(sets=[f"{section}.{key}={value}"], environ={})


def test_a_secret_comes_from_the_environment_or_a_file_and_is_never_shown() -> None:
    Path("key").write_text("hush\n", encoding="utf-8")
    for environ in (
        {"LIGHTMODEL__STORE__SIGNING_KEY": "hush"},
        {"LIGHTMODEL__STORE__SIGNING_KEY_FILE": "key"},
    ):
        loaded = load(environ=environ)
        key = loaded.config.store.signing_key
        assert key is not None
        assert key.get_secret_value() == "hush"
        assert "hush" not in "\n".join(loaded.lines())
        assert "hush" not in repr(loaded)


def test_a_secret_in_the_file_or_on_the_command_line_is_rejected_without_showing_it() -> None:
    with pytest.raises(ConfigError, match="LIGHTMODEL__STORE__SIGNING_KEY_FILE") as caught:
        load(write_settings("[store]\nsigning_key = 'hush'"), ["store.signing_key=hush"], {})
    assert "hush" not in caught.value.message
    assert "has 2 mistakes" in caught.value.message


def test_the_secrets_of_an_address_are_masked() -> None:
    source = "https://me:word@host/a.csv?sv=1&sig=abcdef&X-Amz-Signature=012"
    text = "\n".join(load(sets=[f"data.source={source}"], environ={}).lines())
    assert "https://***@host/a.csv?sv=1&sig=***&X-Amz-Signature=***" in text


def test_invalid_toml_is_reported_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"settings\.toml: is not valid TOML: .*line 2"):
        load(write_settings("[data]\nsource = @\n"), environ={})


@given(text=st.text(max_size=60))
def test_any_text_raises_only_a_config_error(text: str) -> None:
    file = write_settings("")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match="unknown section 'x'"):
        load(file, [text], {"LIGHTMODEL__X": text})


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED_SETTINGS.items()))
def test_an_old_name_is_valid_with_a_warning(
    old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"data.missing": ('["", "-1"]', ("", "-1")), "tune.keep_share": ("0.25", 25)}
    text, expected = values.get(old, ("7", 7))
    section, _, key = old.partition(".")
    name = new.partition(".")[2]
    configurations = [
        load(write_settings(f"[{section}]\n{key} = {text}"), environ={}),
        load(write_settings(""), [f"{old}={text}"], {}),
        load(write_settings(""), environ={f"LIGHTMODEL__{section}__{key}".upper(): text}),
    ]
    for loaded in configurations:
        assert getattr(getattr(loaded.config, section), name) == expected
        assert new in loaded.origins
    assert caplog.text.count(f"{old} was renamed to {new}") == 3


@pytest.mark.parametrize(
    "text",
    [
        "{max_rounds = 50}",
        '{"max_rounds": 50}',
        '{ "max_rounds" : 50 }',
    ],
)
def test_a_table_is_set_in_toml_or_json(text: str) -> None:
    loaded = load(write_settings(""), [f"train.parameters={text}"], {})
    assert loaded.config.train.parameters == {"max_rounds": 50}


@pytest.mark.parametrize(
    "text", ["sample://santander", '"sample://santander"', "'sample://santander'"]
)
def test_quotes_around_a_string_are_not_part_of_it(text: str) -> None:
    assert (
        load(write_settings(""), [f"data.source={text}"], {}).config.data.source
        == "sample://santander"
    )
    environ = {"LIGHTMODEL__DATA__SOURCE": text}
    assert load(write_settings(""), environ=environ).config.data.source == "sample://santander"


@pytest.mark.parametrize("text", ["'", '"', "'a", "a'b", 'say "so"'])
def test_an_unpaired_quote_is_kept(text: str) -> None:
    assert load(write_settings(""), [f"data.target={text}"], {}).config.data.target == text


def test_a_value_that_is_neither_toml_nor_json_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match=r"write it as TOML .* or as JSON"):
        load(write_settings(""), ["train.parameters=max_rounds:50"], {})


def test_an_environment_variable_names_the_settings_file() -> None:
    file = write_settings("[data]\ntarget = 'y'")
    loaded = load(environ={"LIGHTMODEL_CONFIG": str(file)})
    assert (loaded.config.data.target, loaded.file) == ("y", file)
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(environ={"LIGHTMODEL_CONFIG": "nowhere.toml"})


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"PORT": "8080"}, 8080),
        ({"PORT": "8080", "LIGHTMODEL__SERVE__PORT": "5002"}, 5002),
        ({"PORT": "tcp://10.0.0.1:80"}, 5003),  # as Kubernetes sets for a service called so
    ],
)
def test_the_port_that_a_platform_assigns_is_below_our_own_variable(
    environ: dict[str, str], port: int
) -> None:
    Path("config.toml").write_text("[serve]\nport = 5003\n", encoding="utf-8")
    assert load(None, (), environ).config.serve.port == port


@pytest.mark.parametrize(
    ("value", "expected"), [("True", True), ("1", True), ("", False), ("nightly", False)]
)
def test_a_test_run_of_streams_is_set_by_a_variable_without_prefix(
    value: str, expected: bool
) -> None:
    assert load(environ={"TEST_RUN": value}).config.streams.test_run is expected


@pytest.mark.parametrize(
    "address",
    [
        *("kinesis://visits", "kafka://broker:9092/visits", "kafka://a.example:1,b:2/visits.v1"),
        "",
    ],
)
def test_an_address_of_a_stream_is_taken(address: str) -> None:
    config = load(sets=[f"streams.input={address}"], environ={}).config
    assert config.streams.input == address


@pytest.mark.parametrize(
    "address",
    ["visits", "kinesis://", "kinesis://a/b", "kafka://broker/visits", "kafka://me:secret@b:1/t"],
)
def test_another_address_of_a_stream_is_a_mistake(address: str) -> None:
    with pytest.raises(ConfigError, match="kinesis://STREAM or kafka://HOST:PORT/TOPIC") as raised:
        load(sets=[f"streams.input={address}"], environ={})
    assert "secret" not in raised.value.message


def test_a_password_of_kafka_has_no_place_in_the_settings() -> None:
    sets = ['streams.kafka={"sasl.password" = "hush"}']
    with pytest.raises(ConfigError, match="LIGHTMODEL__STREAMS__KAFKA_PASSWORD") as raised:
        load(sets=sets, environ={})
    assert "hush" not in raised.value.message


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.class_weight=ballanced", "'none' or 'balanced'"),
        ("train.class_weight={yes = 'x'}", "valid number"),
        ("tune.ranges={num_leaves = true}", "False"),
        ("tune.ranges={num_leaves = {low = 'x'}}", "valid number"),
    ],
)
def test_a_mistake_in_a_setting_of_two_types_is_one_mistake(setting: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("config.toml"), [setting], {}, text="")
    assert caught.value.message.startswith("the configuration has 1 mistake:")
    assert said in caught.value.message
