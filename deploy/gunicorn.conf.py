"""gunicorn's settings. The model is loaded in each worker, after the fork: LightGBM needs that."""

from gunicorn.workers.gthread import ThreadWorker

from lightmodel.config import load

_serve = load().config.serve

bind = f"{_serve.host}:{_serve.port}"
workers = 2
threads = 4
worker_class = "gthread"
preload_app = False
accesslog = "-"
graceful_timeout = 10  # an idle keep-alive connection is waited for that long
control_socket_disable = True  # it would lie in the home folder, which containers may not have


def post_worker_init(worker: ThreadWorker) -> None:
    """Load the model in the worker, after the fork, and look for newer ones."""
    worker.wsgi.extensions["holder"].watch()
