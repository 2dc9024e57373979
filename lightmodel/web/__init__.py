"""The service over HTTP. `create_app` is what gunicorn calls."""

from flask import Flask

from lightmodel.config import Config, load
from lightmodel.web import health, predict, problems, truth
from lightmodel.web.holder import Holder
from lightmodel.wiring.serving import open_newest


def create_app(config: Config | None = None) -> Flask:
    """Build the service on the newest approved model; without one it starts, and says so."""
    config = config or load().config
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = config.serve.max_megabytes * 1024 * 1024
    holder = Holder(lambda: open_newest(config), config.store.root / "model")
    problems.init_app(app)
    app.register_blueprint(health.blueprint(holder))
    app.register_blueprint(predict.blueprint(holder, config.data))
    app.register_blueprint(truth.blueprint(holder, config))
    return app
