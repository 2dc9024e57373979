"""The service over HTTP. `create_app` is what gunicorn calls."""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from lightmodel.config import Config, load
from lightmodel.predictions.factory import open_log, spooled_bytes
from lightmodel.scoring.loaded_model import Shelf
from lightmodel.service import api_docs as programs
from lightmodel.service import feedback as truth
from lightmodel.service import health, keys, metrics, pages, predict, problems, tracing, train
from lightmodel.service.model_manager import Holder
from lightmodel.store.factory import workers_of


def create_app(config: Config | None = None) -> Flask:
    """Build the service on the newest approved model; without one it starts, and says so."""
    config = config or load().config
    app = Flask(__name__)
    counted = metrics.Metrics(lambda: spooled_bytes(config))
    holder = Holder(Shelf(config), config.serve.look_every_s, counted.show_model)
    log = open_log(config, counted.count_log)
    app.extensions["holder"] = holder
    if proxies := config.serve.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]  # Flask's own way
    tracing.init_app(app, config.serve)
    metrics.init_app(app, counted)
    keys.init_app(app, config.serve, workers_of(config))
    problems.init_app(app)
    app.register_blueprint(health.blueprint(holder))
    app.register_blueprint(predict.blueprint(holder, config, log, counted))
    app.register_blueprint(pages.blueprint(holder, config))
    app.register_blueprint(truth.blueprint(holder, config))
    app.register_blueprint(train.blueprint(config))
    app.register_blueprint(programs.blueprint(holder))
    return app
