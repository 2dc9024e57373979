"""The service over HTTP. `create_app` is what gunicorn calls."""

from flask import Flask
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from lightmodel.config import Config, load
from lightmodel.config.load import workers_of
from lightmodel.predictions.factory import open_log, spooled_bytes
from lightmodel.scoring.model_store import ModelStoreView
from lightmodel.service import (
    describe,
    feedback,
    observability,
    pages,
    predict,
    problems,
    request_body,
    retraining,
    security,
)
from lightmodel.service.model_manager import ModelManager


def create_app(config: Config | None = None) -> Flask:
    """Return the service on the newest approved model; without one it starts, and says so."""
    config = config or load().config
    app = Flask(__name__)
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    metrics = observability.Metrics(lambda: spooled_bytes(config))
    models = ModelManager(ModelStoreView(config), config.serve.look_every_s, metrics.show_model)
    log = open_log(config, metrics.count_log)
    app.extensions["model_manager"] = models
    if proxies := config.serve.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]  # Flask's own way
    # An answer passes these in the opposite order: a body is drained after the time is taken.
    request_body.init_app(app, config.serve)
    observability.init_app(app, metrics)
    security.init_app(app, config.serve, workers_of(config))
    problems.init_app(app)
    app.register_blueprint(describe.blueprint(models))
    app.register_blueprint(predict.blueprint(models, config, log, metrics))
    app.register_blueprint(feedback.blueprint(models, config))
    app.register_blueprint(pages.blueprint(models, config))
    app.register_blueprint(retraining.blueprint(config))
    return app
