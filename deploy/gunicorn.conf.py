"""gunicorn's settings. The model is loaded in each worker, after the fork: LightGBM needs that."""

from lightmodel.config import load

_serve = load().config.serve

bind = f"{_serve.host}:{_serve.port}"
workers = 1
threads = 4
worker_class = "gthread"
preload_app = False
accesslog = "-"
