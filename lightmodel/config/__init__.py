"""Every setting, typed and documented once; read from file, environment and command line."""

from lightmodel.config.delivery import AzureSection, DeploySection, NotifySection, WebhookSection
from lightmodel.config.load import Config, Loaded, load
from lightmodel.config.sections import (
    DataSection,
    GateSection,
    RangeOverride,
    SplitSection,
    TrainSection,
    TuneSection,
)
from lightmodel.config.serving import LogSection, ServeSection, StoreSection, TrackingSection

__all__ = [
    "AzureSection",
    "Config",
    "DataSection",
    "DeploySection",
    "GateSection",
    "Loaded",
    "LogSection",
    "NotifySection",
    "RangeOverride",
    "ServeSection",
    "SplitSection",
    "StoreSection",
    "TrackingSection",
    "TrainSection",
    "TuneSection",
    "WebhookSection",
    "load",
]
