"""What Prefect's page shows of studies and drift."""

from pathlib import Path

from lightmodel.config import load
from lightmodel.flows.artefacts import artefacts
from lightmodel.watch.column_tests import ColumnTest
from lightmodel.watch.drift import DriftReport
from lightmodel.watch.files import store_drift
