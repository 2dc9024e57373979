"""Every setting, typed and documented once; read from file, environment and command line."""

from lightmodel.config.azure import AzureSection
from lightmodel.config.delivery import DeploySection, NotifySection
from lightmodel.config.load import Loaded, load
from lightmodel.config.sections import (
    Config,
    DataSection,
    GateSection,
    LogSection,
    SplitSection,
    StoreSection,
    TrainSection,
)
from lightmodel.config.serving import ServeSection
from lightmodel.config.tracking import TrackingSection
from lightmodel.config.tuning import RangeOverride, TuneSection
from lightmodel.config.webhook import WebhookSection

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
