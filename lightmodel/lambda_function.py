"""The AWS Lambda function: `handler` takes an event, and answers it by the newest approved model.

Records of Kinesis and SQS are scored and written to streams.output; requests of API Gateway and function
URLs get the answers of the service; any other event is rows, which are returned scored.
"""

import io
import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from lightmodel.config import Config, load
from lightmodel.errors import ConfigError
from lightmodel.predictions.factory import open_log
from lightmodel.scoring.model_manager import ModelManager
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.streams.checkpoints import Checkpoints
from lightmodel.streams.factory import open_output
from lightmodel.streams.lambda_events import answer_records, answer_rows
from lightmodel.streams.lambda_http import answer_of, is_http, scope_of
from lightmodel.streams.processing import BatchProcessor


class Context(Protocol):
    """What Lambda says of an invocation."""

    aws_request_id: str


class LambdaFunction:
    """Answers events; what one kind of event needs is loaded at the first of that kind."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._models = ModelManager(ModelStoreView(config), 0.0, lambda _: None)

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 — any JSON value
        """Answer one event.

        Raises:
            LightModelError: the event cannot be answered; Lambda reports it as a failed invocation.
        """
        if is_http(event):
            return self._answer_http(event)
        if isinstance(event, Mapping) and isinstance(event.get("Records"), list):
            return answer_records(self._processor, event, context.aws_request_id)
        return answer_rows(self._models.require(), event)

    def _answer_http(self, event: Mapping[str, Any]) -> dict[str, Any]:
        from lightmodel.service.wsgi_threads import environ_of, run_wsgi

        scope, body = scope_of(event)
        return answer_of(event, *run_wsgi(self._app, environ_of(scope, io.BytesIO(body))))

    @cached_property
    def _app(self) -> Any:  # noqa: ANN401 — Flask is not imported before the first request
        from lightmodel.service import create_app

        return create_app(self._config).wsgi_app

    @cached_property
    def _processor(self) -> BatchProcessor:
        settings = self._config.streams
        if not settings.output and not settings.test_run:
            raise ConfigError(
                "no stream is named to write answers to",
                hint="set LIGHTMODEL__STREAMS__OUTPUT, or TEST_RUN=true to write nothing",
            )
        return BatchProcessor(
            self._config,
            self._models,
            open_output(settings.output, settings),
            open_output(settings.dead_letter, settings),
            # An environment that Lambda uses again remembers what it has answered.
            Checkpoints(None, settings.dedupe_window),
            open_log(self._config, lambda _what, _rows: None),
        )


_functions: list[LambdaFunction] = []


def handler(event: Any, context: Context) -> dict[str, Any]:  # noqa: ANN401 — any JSON value
    """Answer one event of Lambda; the first one loads the settings and the model."""
    if not _functions:
        logging.getLogger().setLevel(logging.INFO)
        _functions.append(LambdaFunction(load().config))
    return _functions[0](event, context)
