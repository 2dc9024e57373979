"""Write a version as a folder in MLflow's model format, with this package's code in it."""

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import lightmodel
from lightmodel.contract.columns import Contract
from lightmodel.contract.publication import published
from lightmodel.scoring.model_store import PROFILE
from lightmodel.store.codec import MODEL, unpickle
from lightmodel.store.user_code import FOLDER
from lightmodel.tracking.signature import as_typed, signature_of

if TYPE_CHECKING:  # MLflow takes seconds to import
    from mlflow.models import Model

NAME = "model"
LOADER = "lightmodel.tracking.pyfunc"
CODE, DATA, BOOSTER = "lightmodel.zip", "version", "model.lgb"
SERVING = (
    *("filelock", "joblib", "mlflow", "numpy", "openpyxl", "orjson", "pandas", "pyarrow"),
    *("pydantic", "python-dateutil", "requests"),
)
_LOADED = {
    MODEL,
    "manifest.json",
    PROFILE,
    FOLDER,
}  # a compiled model depends on the processor
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that equal code gives equal bytes


@contextmanager
def packed_model(version: Path, run_id: str, model_id: str | None = None) -> Iterator[str]:
    """Yield a folder in MLflow's format: the version's files, and this package's code as one zip."""
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.models import Model

    manifest = json.loads((version / "manifest.json").read_bytes())
    contract = Contract.from_dict(manifest["contract"])
    shown = published(contract, _profile(version))
    samples = [sample["values"] for sample in manifest["samples"]]
    signature = signature_of(manifest)
    model = Model(run_id=run_id, model_id=model_id)
    with TemporaryDirectory() as folder:
        data, code, target = (Path(folder) / name for name in (DATA, CODE, NAME))
        shutil.copytree(
            version,
            data,
            ignore=lambda at, names: set(names) - _LOADED if at == str(version) else set(),
        )
        _zip_package(code)
        pyfunc.save_model(
            path=str(target),
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(code)],
            mlflow_model=model,
            signature=signature,
            input_example=as_typed(pd.DataFrame(list(shown.rows(samples, contract))), signature),
            pip_requirements=_requirements(manifest["libraries"]),
            metadata={
                "version": manifest["version"],
                "contract": shown.contract(manifest["contract"]),
            },
        )
        _add_booster(model, version, target)
        # Python imports from a zip as from a folder, and one file uploads faster than hundreds.
        model.flavors[pyfunc.FLAVOR_NAME][pyfunc.CODE] = f"code/{CODE}"
        model.save(str(target / "MLmodel"))
        yield str(target)


def _add_booster(model: "Model", version: Path, target: Path) -> None:
    """Add LightGBM's own text, if the model is one booster, for `mlflow.lightgbm.load_model`."""
    bundle = unpickle((version / MODEL).read_bytes(), version.name)
    texts: list[str] = bundle["model"]["texts"] if bundle["learner"] == "lightgbm" else []
    if len(texts) != 1:
        return
    (target / BOOSTER).write_text(texts[0], encoding="utf-8")
    model.add_flavor(
        "lightgbm",
        lgb_version=metadata.version("lightgbm"),
        data=BOOSTER,
        model_class="lightgbm.basic.Booster",
        code=None,
    )


def _profile(version: Path) -> dict[str, Any]:
    """Return `columns` of the profile of the training table; empty if the version has none."""
    path = version / PROFILE
    columns: dict[str, Any] = json.loads(path.read_bytes())["columns"] if path.is_file() else {}
    return columns


def _requirements(libraries: dict[str, str]) -> list[str]:
    """Return exact pins for scoring: libraries of the model, and those that read rows."""
    pins = {**{name: metadata.version(name) for name in SERVING}, **libraries}
    return [f"{name}=={version}" for name, version in sorted(pins.items())]


def _zip_package(path: Path) -> None:
    package = Path(lightmodel.__file__).parent
    with zipfile.ZipFile(path, "w") as archive:
        for module in sorted(package.rglob("*.py")):
            entry = zipfile.ZipInfo(module.relative_to(package.parent).as_posix(), _ZIP_EPOCH)
            archive.writestr(entry, module.read_bytes(), zipfile.ZIP_DEFLATED)
