"""The app that the kill tests serve: small, real, with a user on every second request."""

import os

from fastapi import FastAPI, Request

import flowaudit
from flowaudit import FlowAudit
from flowaudit_fastapi import FlowAuditMiddleware

audit = FlowAudit(trail=os.environ["TEST_TRAIL"], service="kill-test")
app = FastAPI()


@app.get("/task/{n}")
async def task(n: int, request: Request) -> dict[str, int]:
    """Answer with the number and the worker's process id."""
    if n % 2:
        flowaudit.identify(f"user:{n % 50}")
    return {"n": n, "pid": os.getpid()}


app.add_middleware(FlowAuditMiddleware, audit=audit)
