"""The extension for Celery: each run of a task is a job, in the name of whoever ordered it.

It listens to Celery's own signals. Where a task is sent, who acts travels in its headers; where it
runs, the run is an event with that actor.
"""

from contextlib import AbstractContextManager
from typing import Any, Final

from celery import Celery, signals

import flowaudit
from flowaudit import FlowAudit

__all__ = ["FlowAuditCelery"]

HEADER: Final = "flowaudit"
"""Of a task's message: what `FlowAudit.carry` gave."""


class FlowAuditCelery:
    """Every run of a task gives an event, wherever this is made: in the app, in the worker.

    Args:
        app: the Celery app whose tasks are meant.
        audit: where the events go. Make it before the worker forks; nothing is opened until then.
    """

    def __init__(self, app: Celery, *, audit: FlowAudit) -> None:
        self.app = app
        self.audit = audit
        self._running: dict[str, AbstractContextManager[None]] = {}
        self._failed: dict[str, BaseException] = {}
        signals.before_task_publish.connect(self._sent, weak=False)
        signals.task_prerun.connect(self._begun, weak=False)
        signals.task_failure.connect(self._broken, weak=False)
        signals.task_retry.connect(self._put_off, weak=False)
        signals.task_postrun.connect(self._ended, weak=False)

    def _sent(self, headers: dict[str, Any] | None = None, **_: object) -> None:
        """In the app: who acts goes with the task."""
        carried = self.audit.carry()
        if headers is not None and carried:
            headers[HEADER] = carried

    def _begun(self, task_id: str = "", task: Any = None, **_: object) -> None:
        """In the worker: the run begins."""
        if getattr(task, "app", None) is not self.app:
            return
        carried = task.request.get(HEADER) or self.audit.carry()
        job = self._running[task_id] = self.audit.job(task.name, carried=carried)
        job.__enter__()

    def _broken(
        self, task_id: str = "", exception: BaseException | None = None, **_: object
    ) -> None:
        if exception is not None and task_id in self._running:
            self._failed[task_id] = exception

    def _put_off(self, request: Any = None, reason: object = None, **_: object) -> None:
        if getattr(request, "id", None) in self._running:
            flowaudit.note(retry=type(reason).__name__)

    def _ended(
        self, task_id: str = "", task: Any = None, state: str | None = None, **_: object
    ) -> None:
        """In the worker: the run is over, well or not."""
        job, error = self._running.pop(task_id, None), self._failed.pop(task_id, None)
        if job is None:
            return
        flowaudit.note(task=task_id, state=state, retries=task.request.retries or None)
        if error is None:
            job.__exit__(None, None, None)
        else:
            job.__exit__(type(error), error, error.__traceback__)
