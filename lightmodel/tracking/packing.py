"""A model's version as a folder in MLflow's own format, which answers as the service does."""

import json
import platform
import shutil
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightmodel
from lightmodel.store.own_code import FOLDER

if TYPE_CHECKING:  # MLflow takes seconds to import
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types.schema import Schema

LOADER = "lightmodel.tracking.pyfunc"
CODE, DATA = "lightmodel.zip", "version"
_NEEDED = (
    "model.joblib",
    "manifest.json",
    f"{FOLDER}/*",
)  # a compiled form depends on the processor
SERVING = (
    *("filelock", "joblib", "mlflow", "numpy", "openpyxl", "orjson", "pandas", "pyarrow"),
    *("pydantic", "python-dateutil", "requests"),
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack_model(version: Path, target: Path, model: "Model") -> None:
    """Write MLflow's folder of a version: the version's own files, and this package's code as one zip.

    Args:
        version: folder of the model's version.
        target: folder to write; it must not exist.
        model: what MLflow knows of it already.
    """
    from mlflow import pyfunc

    manifest = json.loads((version / "manifest.json").read_bytes())
    kept = target.with_name("kept") / DATA
    for path in (found for name in _NEEDED for found in sorted(version.glob(name))):
        copy = kept / path.relative_to(version)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    code = kept.parent / CODE
    _zip_package(code)
    pyfunc.save_model(
        path=str(target),
        loader_module=LOADER,
        data_path=str(kept),
        code_paths=[str(code)],
        mlflow_model=model,
        signature=_signature(manifest),
        input_example=_example(manifest),
        conda_env=_environment(manifest),
        metadata={"version": manifest["version"], "contract": manifest["contract"]},
    )
    # Python imports from a zip as from a folder, and a server takes one file sooner than hundreds.
    flavor = model.flavors[pyfunc.FLAVOR_NAME]
    flavor[pyfunc.CODE] = f"code/{CODE}"
    model.save(str(target / "MLmodel"))


def _environment(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give the packages as conda wants them: from a list MLflow would spend a second on checking it."""
    pins = {"pip": requirements_of(manifest)}
    python = f"python={platform.python_version()}"
    return {
        "name": "light-model",
        "channels": ["conda-forge"],
        "dependencies": [python, "pip", pins],
    }


def requirements_of(manifest: dict[str, Any]) -> list[str]:
    """Give exact pins of what scoring needs: the libraries that made the model, and what reads rows."""
    pins = {name: metadata.version(name) for name in SERVING}
    pins |= manifest["libraries"]
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def _zip_package(path: Path) -> None:
    package = Path(lightmodel.__file__).parent
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for module in sorted(package.rglob("*.py")):
            name = module.relative_to(package.parent).as_posix()
            archive.writestr(
                zipfile.ZipInfo(name, _EPOCH), module.read_bytes(), zipfile.ZIP_DEFLATED
            )


def _signature(manifest: dict[str, Any]) -> "ModelSignature":
    """Name the columns that rows may have and the answer has.

    Their types are left open: the contract checks them, as in the service, and says more than MLflow.
    """
    from mlflow.models import ModelSignature

    columns = manifest["contract"]["columns"]
    taken = [column["name"] for column in columns if column["role"] in {"id", "feature"}]
    given = [column["name"] for column in columns if column["role"] == "id"]
    answer = (
        ["prediction"]
        if manifest["task"]["kind"] == "regression"
        else ["prediction", "probability"]
    )
    return ModelSignature(_open_columns(taken), _open_columns([*given, *answer]))


def _open_columns(names: Sequence[str]) -> "Schema":
    from mlflow.types.schema import AnyType, ColSpec, Schema

    kind = AnyType()  # type: ignore[no-untyped-call]  # MLflow's own
    return Schema([ColSpec(kind, name=name, required=False) for name in names])


def _example(manifest: dict[str, Any]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([sample["values"] for sample in manifest["samples"]])
