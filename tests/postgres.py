"""A real PostgreSQL for tests: a server of their own, and a fresh database for each test.

The server runs as an account without privileges (PostgreSQL refuses root), in a folder of its own,
and is ended by its process id.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

from flowaudit.vault.place import DatabaseUrl

START_S: Final = 60
TEMPLATE: Final = "flowaudit_template"
_NUMBERS: Final = count(1)


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL on this machine."""
    found = shutil.which("postgres")
    folders = [Path(found).parent] if found else []
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda path: float(path.parent.name),
        reverse=True,
    )
    return next((f for f in folders if (f / "postgres").exists() and (f / "initdb").exists()), None)


def _account() -> dict[str, Any]:
    """How to run it: as whoever runs the tests, unless that is root."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        except KeyError:
            continue
    raise RuntimeError("there is no account that PostgreSQL could run as")


class Server:
    """A running server. `kill` and `start` may follow each other."""

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        self.folder = folder
        self.port = _free_port()
        found = binaries()
        assert found is not None
        self._bin = found
        self._has_template = False
        self._process: subprocess.Popen[bytes] | None = None
        account = _account()
        if account:
            os.chown(folder, account["user"], account["group"])
        subprocess.run(
            [found / "initdb", "-D", folder / "data", "-U", "postgres", "-E", "UTF8", "--locale=C",
             "-A", "trust", *([] if is_durable else ["--no-sync"])],
            check=True, timeout=START_S, stdout=subprocess.DEVNULL, cwd=folder, **account,
        )  # fmt: skip
        with (folder / "data" / "pg_hba.conf").open("w") as file:
            file.write("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        with (folder / "data" / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\n"
                f"unix_socket_directories = '{folder}'\nmax_connections = 60\n"
                f"shared_buffers = 64MB\nlogging_collector = off\n"
                f"fsync = {'on' if is_durable else 'off'}\n"
            )
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        # it ends with these tests, also if nothing of theirs can end it any more
        setpriv = shutil.which("setpriv")
        tie = [setpriv, "--pdeathsig", "QUIT", "--"] if setpriv else []
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*tie, self._bin / "postgres", "-D", self.folder / "data"],
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **_account(),
            )
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.run("SELECT 1")
                return
            except Exception:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "log").read_text()) from None
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: fast by default; SIGQUIT is immediate, SIGKILL the worst."""
        if self._process is not None:
            if how == signal.SIGKILL:
                group = [self._process.pid, *_children(self._process.pid)]
                for pid in group:
                    with suppress(ProcessLookupError):
                        os.kill(pid, how)
            else:
                self._process.send_signal(how)
            self._process.wait(START_S)
            self._process = None

    @property
    def is_up(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """All its processes stand still meanwhile: connections stay open, nothing answers."""
        assert self._process is not None
        group = [self._process.pid, *_children(self._process.pid)]
        for pid in group:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in group:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def url(self, database: str = "postgres", user: str = "postgres", **more: str) -> str:
        """A URI over the Unix socket, where nobody is asked for a password."""
        query = "&".join(
            f"{k}={v}" for k, v in {"host": self.folder, "port": self.port, **more}.items()
        )
        return f"postgresql://{user}@/{database}?{query}"

    def run(
        self, sql: str, database: str = "postgres", user: str = "postgres"
    ) -> list[tuple[Any, ...]]:
        """One statement outside a transaction, as the superuser."""
        import psycopg

        with psycopg.connect(self.url(database, user), autocommit=True, connect_timeout=5) as db:
            cursor = db.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, template: str = "template0") -> str:
        """The name of a fresh database."""
        name = f"t{os.getpid()}_{next(_NUMBERS)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return name

    def new_trail(self) -> str:
        """The name of a fresh database that holds a trail and a vault, both empty."""
        if not self._has_template:
            from flowaudit.trail.postgres_setup import SCRIPTS, set_up

            self.run(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0 ENCODING 'UTF8'")
            for what in SCRIPTS:
                set_up(DatabaseUrl(self.url(TEMPLATE)), what)
            self.run(_REPLACE, TEMPLATE)
            self._has_template = True
        return self.new_database(TEMPLATE)

    def drop(self, database: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.run(f"DROP DATABASE {database} WITH (FORCE)")


_REPLACE = """CREATE FUNCTION public.flowaudit_replace(bytea, text, text) RETURNS bytea
    LANGUAGE sql AS $$
        SELECT convert_to(replace(convert_from($1, 'UTF8'), $2, $3), 'UTF8') $$"""


@contextmanager
def running(*, is_durable: bool = False) -> Iterator[Server]:
    """A server that is gone afterwards, with all it wrote."""
    folder = Path(tempfile.mkdtemp(prefix="fa-pg-", dir="/tmp"))
    server: Server | None = None
    try:
        server = Server(folder, is_durable=is_durable)
        yield server
    finally:
        if server is not None:
            server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
