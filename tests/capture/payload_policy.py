"""A policy that names something of everything, and bodies that have it."""

from pathlib import Path

EVERYTHING = """
[[policy]]
level = "payload"
max_bytes = 2000
request_json = ["/id", "/items/*/sku"]
request_form = ["title"]
request_headers = ["content-type", "x-note"]
response_json = ["/status"]
response_headers = ["location"]
"""

MULTIPART = (
    b'--B\r\nContent-Disposition: form-data; name="title"\r\n\r\nA day\r\n'
    b'--B\r\nContent-Disposition: form-data; name="scan"; filename="ann.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n%PDF-secret\r\n"
    b'--B\r\nContent-Disposition: form-data; name="note"\r\n\r\nhush\r\n--B--\r\n'
)
JSON = b'{"id": 7, "pw": "hush"}'


def policy_file(folder: Path, text: str) -> Path:
    file = folder / "policy.toml"
    file.write_text(text)
    return file
