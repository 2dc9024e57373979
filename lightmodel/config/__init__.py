"""All settings, typed and documented; read from file, environment and command line."""

from lightmodel.config.load import Config, load
from lightmodel.config.sections import (
    DataSection,
    GateSection,
    RangeOverride,
    SplitSection,
    TrainSection,
    TuneSection,
)
from lightmodel.config.serving import (
    AzureSection,
    DeploySection,
    LogSection,
    ServeSection,
    StoreSection,
    TrackingSection,
)

__all__ = [
    "AzureSection",
    "Config",
    "DataSection",
    "DeploySection",
    "GateSection",
    "LogSection",
    "RangeOverride",
    "ServeSection",
    "SplitSection",
    "StoreSection",
    "TrackingSection",
    "TrainSection",
    "TuneSection",
    "load",
]
