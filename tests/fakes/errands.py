"""A function for the processes of `run_parallel` in tests."""

import os
import signal
import time

from lightmodel.errors import ConfigError


def errand(task: str) -> str:
    """Do what the first word of the task names."""
    verb, _, rest = task.partition(" ")
    match verb:
        case "say":
            return rest
        case "process":
            return str(os.getpid())
        case "threads":
            return os.environ["OMP_NUM_THREADS"]
        case "sleep":
            time.sleep(600)
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "leave":
            os._exit(3)
        case "refuse":
            raise ConfigError("it makes no sense")
        case _:
            return str(1 / 0)
    return ""
