"""All settings, typed and documented; read from file, environment and command line."""

from lightmodel.config.console import ConsoleSection
from lightmodel.config.dask import DaskSection
from lightmodel.config.data import DataSection, SplitSection
from lightmodel.config.deployment import AwsSection, AzureSection, DeploySection
from lightmodel.config.flows import FlowsSection
from lightmodel.config.load import Config, load
from lightmodel.config.serving import ServeSection
from lightmodel.config.storage import LogSection, LogsSection, StoreSection, TrackingSection
from lightmodel.config.streaming import StreamsSection
from lightmodel.config.training import GateSection, RangeOverride, TrainSection, TuneSection
from lightmodel.config.watching import WatchSection

__all__ = [
    "AwsSection",
    "AzureSection",
    "Config",
    "ConsoleSection",
    "DaskSection",
    "DataSection",
    "DeploySection",
    "FlowsSection",
    "GateSection",
    "LogSection",
    "LogsSection",
    "RangeOverride",
    "ServeSection",
    "SplitSection",
    "StoreSection",
    "StreamsSection",
    "TrackingSection",
    "TrainSection",
    "TuneSection",
    "WatchSection",
    "load",
]
