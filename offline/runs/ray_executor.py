"""Units as tasks of Ray: on this machine, or on a cluster with one file system."""

import ipaddress
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline.errors import RunError
from offline.runs.executor import MAX_DEATHS
from offline.runs.messages import Failed, Hear
from offline.runs.plan import Unit
from offline.runs.work import Work, attempt

_POLL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class RayTasks:
    """Has groups carried out as tasks of Ray.

    A task whose process or machine dies is started again by Ray, at most twice. Ray runs whatever
    it is sent: its cluster belongs on a network that nobody else can reach.

    Parameters
    ----------
    root : Path
        Folder of all runs; every machine must see it at the same place.
    n_workers : int
        Cores of the cluster that is started here.
    address : str or None
        Of a cluster that runs already; None starts one on the loopback interface, and ends it.
    n_gpus : float
        Share of a GPU that a group takes: 0.25 puts four on one; 0 leaves GPUs alone.
    """

    root: Path
    n_workers: int
    address: str | None = None
    n_gpus: float = 0.0

    def carry_out(self, groups: Sequence[tuple[Unit, ...]], work: Work, hear: Hear) -> None:
        """Have all groups carried out; see `executor.Executor`.

        Raises
        ------
        RunError
            Ray is not installed, or its cluster cannot be reached.
        """
        ray = _import_ray(for_this_machine=self.address is None)
        with self._cluster(ray):
            from ray.util.queue import Empty, Queue

            told = Queue(actor_options={"num_cpus": 0})
            task = ray.remote(
                num_cpus=1, num_gpus=self.n_gpus, max_retries=MAX_DEATHS - 1, max_calls=0
            )(_carry_out)
            pending = {
                task.remote(work, group, told, self.root, Path.cwd()): group for group in groups
            }
            while pending:
                ended, _ = ray.wait(list(pending), timeout=_POLL_S)
                while True:
                    try:
                        message = told.get_nowait()
                    except Empty:
                        break
                    hear(message)
                    if isinstance(message, Failed) and message.stops_all:
                        return
                for reference in ended:
                    group = pending.pop(reference)
                    try:
                        ray.get(reference)
                    except ray.exceptions.RayError as error:
                        hear(Failed(units=group, why=f"Ray gave it up: {_last_line(error)}"))

    @contextmanager
    def _cluster(self, ray: Any) -> Iterator[None]:
        try:
            if self.address:
                ray.init(
                    address=self.address,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": _threads()},
                )
            else:
                ray.init(
                    address="local",
                    num_cpus=self.n_workers,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    runtime_env={"env_vars": _threads() | _modules()},
                )
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            where = self.address or "this machine"
            msg = f"Ray must be reachable at {where}, got: {_last_line(error)}"
            raise RunError(msg) from error
        try:
            at = ray.util.get_node_ip_address()
            if self.address is None and not ipaddress.ip_address(at).is_loopback:
                msg = (
                    f"Ray must listen on the loopback interface alone, but listens on {at}: it was "
                    "imported before. Use a new process."
                )
                raise RunError(msg)
            yield
        finally:
            ray.shutdown()


def _carry_out(work: Work, group: tuple[Unit, ...], told: Any, root: Path, here: Path) -> None:
    """Carry out one group; what a task does."""
    os.chdir(here)  # where relative paths of a recipe count from
    attempt(work, group, told.put, root=root)


def _threads() -> dict[str, str]:
    """Return how many threads each library takes here: numbers must not depend on where."""
    return {name: n for name, n in os.environ.items() if name.endswith("_NUM_THREADS")}


def _modules() -> dict[str, str]:
    """Return where this process finds its modules; Ray's own look only where Ray is installed."""
    return {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def _import_ray(*, for_this_machine: bool) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # leave GPUs as they are
    if for_this_machine:
        # Ray's one way to the loopback interface; it looks when it is imported.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    try:
        import ray
    except ImportError as error:
        msg = "Ray must be installed for its executor: pip install 'rtaffect[cluster]'."
        raise RunError(msg) from error
    return ray


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
