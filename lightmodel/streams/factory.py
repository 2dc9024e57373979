"""Open the streams that the configuration names."""

from urllib.parse import urlsplit

from lightmodel.config import StreamsSection
from lightmodel.streams.base import StreamInput, StreamOutput


def open_input(address: str, settings: StreamsSection) -> StreamInput:
    """Return the end to read of a stream; its library is loaded only now.

    Raises:
        ConfigError: the library, or something that it needs, is missing.
    """
    parts = urlsplit(address)
    if parts.scheme == "kafka":
        from lightmodel.streams.kafka import KafkaInput

        return KafkaInput(parts.netloc, parts.path[1:], settings)
    from lightmodel.streams.kinesis import KinesisInput, client_for

    return KinesisInput(parts.netloc, client_for(settings), settings)


def open_output(address: str, settings: StreamsSection) -> StreamOutput | None:
    """Return the end to write of a stream; None if there is no address, or in a test run.

    Raises:
        ConfigError: the library, or something that it needs, is missing.
    """
    if not address or settings.test_run:
        return None
    parts = urlsplit(address)
    if parts.scheme == "kafka":
        from lightmodel.streams.kafka import KafkaOutput

        return KafkaOutput(parts.netloc, parts.path[1:], settings)
    from lightmodel.streams.kinesis import KinesisOutput, client_for

    return KinesisOutput(parts.netloc, client_for(settings), settings)
