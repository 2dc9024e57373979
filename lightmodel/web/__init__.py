"""The service over HTTP. `create_app` is what gunicorn calls."""

from flask import Flask

from lightmodel.config import Config, load
from lightmodel.web import health, pages, predict, problems, truth
from lightmodel.web.holder import Holder
from lightmodel.wiring.prediction_log import open_log
from lightmodel.wiring.serving import Shelf


def create_app(config: Config | None = None) -> Flask:
    """Build the service on the newest approved model; without one it starts, and says so."""
    config = config or load().config
    app = Flask(__name__)
    holder = Holder(Shelf(config), config.serve.look_every_s)
    app.extensions["holder"] = holder
    log = open_log(config, lambda _name, _count: None)
    problems.init_app(app)
    app.register_blueprint(health.blueprint(holder))
    app.register_blueprint(predict.blueprint(holder, config, log, cores=1))
    app.register_blueprint(pages.blueprint(holder, config))
    app.register_blueprint(truth.blueprint(holder, config))
    return app
