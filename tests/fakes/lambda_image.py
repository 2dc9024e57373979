"""The image for AWS Lambda, run as Lambda runs it beside a stand-in of its runtime API."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.lambda_runtime import Answer, LambdaRuntime
from tests.fakes.docker_engine import IMAGE

LAMBDA = f"{IMAGE}-lambda"
# Some user, and nothing but /tmp can be written to.
OPTIONS = ("--network", "host", "-u", "993:990", "--read-only", "--tmpfs", "/tmp")


@contextmanager
def function(image: str, *environ: str) -> Iterator[LambdaRuntime]:
    """Run the image as a function, and yield the runtime API that it asks for events."""
    with LambdaRuntime().serving() as runtime:
        variables = (f"AWS_LAMBDA_RUNTIME_API={runtime.address}", *environ)
        options = [word for variable in variables for word in ("-e", variable)]
        command = ["docker", "run", "-d", *OPTIONS, *options, image]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        try:
            yield runtime
        finally:
            subprocess.run(["docker", "rm", "-fv", name], check=True, capture_output=True)


@contextmanager
def functions() -> Iterator[Callable[[str, Any], Answer]]:
    """Yield what invokes an image, in one container for each that starts at its first event."""
    lock, running = threading.Lock(), dict[str, LambdaRuntime]()
    with ExitStack() as stack:

        def run(image: str, event: object) -> Answer:
            with lock:
                if image not in running:
                    running[image] = stack.enter_context(function(image, "TEST_RUN=true"))
                return running[image].invoke(event)

        yield run
