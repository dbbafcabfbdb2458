"""A Celery app whose broker is a folder: for a worker of its own process."""

import os
from pathlib import Path

from celery import Celery

import flowaudit
from flowaudit import FlowAudit
from flowaudit_celery import FlowAuditCelery

FOLDER = Path(os.environ["CELERY_TEST_FOLDER"])

app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    "data_folder_in": str(FOLDER / "queue"),
    "data_folder_out": str(FOLDER / "queue"),
    "control_folder": str(FOLDER / "control"),
}
audit = FlowAudit(trail=FOLDER / "t.db")
FlowAuditCelery(app, audit=audit)


@app.task(name="invoice.send")
def send(number: int) -> None:
    """Say what is touched; fail for number 13; order another task for number 1."""
    flowaudit.resource("invoice", number)
    if number == 13:
        raise PermissionError("not this one")
    if number == 1:
        send.delay(2)
