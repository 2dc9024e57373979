"""The service over HTTP. `create_app` is what gunicorn calls."""

from flask import Flask

from lightmodel.config import Config, load
from lightmodel.web import health, predict, problems
from lightmodel.web.holder import Holder
from lightmodel.wiring.serving import Shelf


def create_app(config: Config | None = None) -> Flask:
    """Build the service on the newest approved model; without one it starts, and says so."""
    config = config or load().config
    app = Flask(__name__)
    holder = Holder(Shelf(config), config.serve.look_every_s)
    app.extensions["holder"] = holder
    problems.init_app(app)
    app.register_blueprint(health.blueprint(holder))
    app.register_blueprint(predict.blueprint(holder, config, cores=1))
    return app
