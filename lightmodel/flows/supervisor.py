"""Serve the flows, or run one: `python -I supervisor.py serve|run …`, by Prefect's own Python.

What these processes need is in the environment, as a `Job`. The exit code of `run` is that of the stage
that failed.
"""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.flows import load_flow_from_entrypoint
from prefect.logging.handlers import APILogHandler
from prefect.runner import Runner
from prefect.runner._flow_run_executor import FlowRunExecutorContext
from prefect.runner._starter_engine import EngineCommandStarter
from prefect.schedules import Cron
from prefect.settings import PREFECT_API_URL
from prefect.states import Cancelling, Crashed

PROJECT = str(Path(__file__).parents[2])
if PROJECT not in sys.path:  # at the end: an installed light-model has other versions beside it
    sys.path.append(PROJECT)

from lightmodel.flows.server import Stopped, running_server
from lightmodel.flows.stages import (
    TRY_AGAIN,
    Job,
    forget_run,
    held_run,
    recorded_exit,
    runs_not_held,
)

_FLOWS = Path(__file__).with_name("flows.py")
_TAG = "light-model"
_AUTOMATION = "light-model: a run without heartbeats has crashed"
_HEARTBEATS_S = 30  # the shortest that Prefect sends
_USAGE, _INTERRUPTED, _MISCONFIGURED = 2, 130, 78


def main(action: str, *words: str) -> int:
    """Serve the flows or run one, and return the exit code."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    job = Job.from_environment()
    try:
        with running_server(job, serving=action == "serve"):
            return asyncio.run(_act(job, *words))
    except Stopped as error:
        sys.stderr.write(f"{error.lines}\n")
        return error.code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (httpx.TransportError, httpx.HTTPStatusError, PrefectException) as error:
        refused = isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
        sys.stderr.write(
            f"error: Prefect's server at {PREFECT_API_URL.value()} failed: {type(error).__name__}\n"
            "hint: see its log; a key is set by PREFECT_API_KEY, a password by PREFECT_API_AUTH_STRING\n"
        )
        return _MISCONFIGURED if refused else TRY_AGAIN


async def _act(job: Job, *words: str) -> int:
    try:
        return await (_run(job, words[0], json.loads(words[1])) if words else _serve(job))
    finally:
        await APILogHandler.aflush()  # while the server is there


async def _serve(job: Job) -> int:
    """Offer the flows until SIGTERM or Ctrl-C, which cancel the run that is under way."""
    await _clean_up(job)
    runner = Runner(limit=1, heartbeat_seconds=_HEARTBEATS_S)
    for name, cron in job.schedules.items():
        deployment = RunnerDeployment.from_entrypoint(
            f"{_FLOWS}:{name}",
            name=job.name,
            schedule=Cron(cron, timezone=job.time_zone) if cron else None,
            tags=[_TAG],
        )
        await runner.aadd_deployment(deployment)
        sys.stderr.write(f"serving {deployment.flow_name}/{deployment.name}\n")
    stop = asyncio.Event()
    serving = asyncio.create_task(runner.start())
    await asyncio.sleep(0)  # it sets a handler of its own for SIGTERM
    with _signals(stop.set):
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if runner.started:
            await runner.astop()
        await serving
        stopped.cancel()
    return 0


@contextmanager
def _signals(handle: Callable[[], object]) -> Iterator[None]:
    """Call a function at Ctrl-C and SIGTERM, for the length of a block."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _clean_up(job: Job) -> None:
    """Set what died with its machine to Crashed, and let Prefect's server find later ones."""
    async with get_client() as client:
        await _crash_lost_runs(client, Path(job.folder))
    try:
        await Automation.aread(name=_AUTOMATION)
    except ValueError:
        await _automation().acreate()


async def _crash_lost_runs(client: Any, folder: Path) -> None:  # noqa: ANN401 — Prefect's
    """Set runs that no process holds to Crashed, such as those that died with their machine."""
    for run_id in runs_not_held(folder):
        try:
            run = await client.read_flow_run(UUID(run_id))
        except ObjectNotFound:
            continue  # another server's
        if run.state and not run.state.is_final():
            lost = Crashed(message="Its process was killed, perhaps with its machine.")
            await client.set_flow_run_state(run.id, lost, force=True)
        forget_run(folder, run_id)


def _automation() -> Automation:
    """Return what makes the server set a run that sends no heartbeats any more to Crashed."""
    final = ("Completed", "Failed", "Cancelled", "Crashed")
    heartbeat = "prefect.flow-run.heartbeat"
    return Automation(
        name=_AUTOMATION,
        trigger=EventTrigger(
            after={heartbeat},
            expect={heartbeat, *(f"prefect.flow-run.{name}" for name in final)},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            match_related={
                "prefect.resource.id": [f"prefect.tag.{_TAG}"],
                "prefect.resource.role": "tag",
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * _HEARTBEATS_S),
        ),
        actions=[
            ChangeFlowRunState(state=StateType.CRASHED, message="It sends no heartbeats any more.")
        ],
    )


async def _run(job: Job, name: str, parameters: dict[str, Any]) -> int:
    """Run a flow in a process of its own, and return the exit code of the stage that failed, or 0."""
    folder, entrypoint = Path(job.folder), f"{_FLOWS}:{name}"
    flow = load_flow_from_entrypoint(entrypoint)
    try:
        flow.validate_parameters(parameters)
    except (PrefectException, TypeError, ValueError) as error:
        raise Stopped(
            _USAGE, str(error), f"`flows run {name} --help` lists the parameters"
        ) from error
    async with get_client() as client:
        await _crash_lost_runs(client, folder)
        run = await client.create_flow_run(flow, parameters=parameters, tags=[_TAG])
        with held_run(folder, str(run.id)):
            await _execute(run, flow, entrypoint)
        state = (await client.read_flow_run(run.id)).state
    code = _exit_code(folder, str(run.id), state)
    forget_run(folder, str(run.id))
    sys.stderr.write(f"{name}: {state.name if state else 'unknown'}\n")
    return code


async def _execute(run: Any, flow: Any, entrypoint: str) -> None:  # noqa: ANN401 — Prefect's
    """Run a flow in a process of its own until the server knows how it ended."""

    async def resolve(_run: object) -> Any:  # noqa: ANN401 — Prefect's
        return flow

    async with FlowRunExecutorContext() as context:
        starter = EngineCommandStarter(
            entrypoint=entrypoint,
            control_channel=context.control_channel,
            isolate_process_group=True,
        )
        executor = context.create_executor(
            run, starter, resolve_flow=resolve, propose_submitting=False
        )
        asking = set[asyncio.Task[None]]()

        def cancel() -> None:
            asking.add(asyncio.create_task(_set_cancelling(context.client, run.id)))

        with _signals(cancel):
            await executor.submit()


async def _set_cancelling(client: Any, run_id: UUID) -> None:  # noqa: ANN401 — Prefect's
    """Ask for the end of a run, as its page does; its executor then ends its process."""
    await client.set_flow_run_state(run_id, Cancelling(message="`flows run` was ended."))


def _exit_code(folder: Path, run_id: str, state: Any) -> int:  # noqa: ANN401 — Prefect's
    if state and state.is_completed():
        return 0
    if state and state.is_failed():
        return recorded_exit(folder, run_id)
    return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
