"""The section `tracking` of `config.toml`."""

from pathlib import Path

from pydantic import Field, SecretStr

from lightmodel.config.base import Section


class TrackingSection(Section):
    """Where runs are kept and models registered: MLflow."""

    uri: str = Field(
        "auto",
        description="Of MLflow: auto (a SQLite file in tracking.folder), https://…, databricks, "
        "postgresql://…; none: nothing is tracked.",
    )
    folder: Path = Field(
        Path("model-development"),
        description="Of mlflow.db, and of mlartifacts/ where no server keeps the files.",
    )
    experiment: str = Field("light-model", min_length=1, description="That runs belong to.")
    registered_model: str = Field(
        "auto",
        min_length=1,
        description="Whose aliases champion and challenger move; auto: light-model, and the name of "
        "store.root after it where that is not the project's own folder.",
    )
    timeout_s: float = Field(
        10.0,
        gt=0,
        description="Most seconds that a run waits for MLflow in the end; what was not delivered then "
        "waits for `python -m lightmodel tracking resend`.",
    )
    username: SecretStr | None = Field(None, description="For a server that wants one.")
    password: SecretStr | None = Field(None, description="Likewise.")
    token: SecretStr | None = Field(None, description="For a server that wants a bearer token.")

    @property
    def is_on(self) -> bool:
        """Whether anything is tracked."""
        return self.uri != "none"
