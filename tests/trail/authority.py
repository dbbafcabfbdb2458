"""A time-stamp authority for tests: OpenSSL's own, behind a server on loopback."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """
[ca]
x509_extensions = root
[root]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[stamp]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
"""


def _openssl(folder: Path, *argv: str) -> None:
    subprocess.run(
        ["openssl", *argv], cwd=folder, check=True, capture_output=True, timeout=30
    )  # fmt: skip


class Authority:
    """An authority's files and address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "serial").write_text("01\n")
        new = ["req", "-newkey", "rsa:2048", "-nodes", "-config", "/dev/null"]
        for name, subject in (("root", "/CN=Test Root"), ("tsa", "/CN=Test Authority")):
            _openssl(
                folder, *new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject
            )
        sign = ["x509", "-req", "-days", "30", "-extfile", "tsa.cnf"]
        _openssl(
            folder, *sign, "-in", "root.csr", "-signkey", "root.key", "-extensions", "root",
            "-out", "root.pem",
        )  # fmt: skip
        _openssl(
            folder, *sign, "-in", "tsa.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-extensions", "stamp", "-out", "tsa.pem",
        )  # fmt: skip
        self.root = folder / "root.pem"
        self.asked = 0
        self.answer: bytes | None = None
        """What is answered instead of a time stamp."""
        self.url = ""

    def reply(self, query: bytes) -> bytes:
        """The authority's answer to a query."""
        self.asked += 1
        if self.answer is not None:
            return self.answer
        (self.folder / "query").write_bytes(query)
        files = ["-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]
        _openssl(self.folder, "ts", "-reply", *files)
        return (self.folder / "reply").read_bytes()


@contextmanager
def serving(folder: Path) -> Iterator[Authority]:
    """An authority that answers on loopback."""
    authority = Authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            data = authority.reply(query)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    authority.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield authority
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
