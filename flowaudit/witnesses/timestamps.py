"""RFC 3161 time stamps over checkpoints: an authority's word that a checkpoint was there by then.

Made and checked by the package `rfc3161-client` (extra `timestamps`). The stamp is over the bytes
of the published note, so that `openssl ts -verify -data SIZE.checkpoint` checks it too.
"""

import encodings.ascii
import encodings.idna  # noqa: F401 - both would be imported in some thread, at the first look-up
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from ..errors import MissingExtraError, ProofError, TrailError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["Stamp", "ask_for_stamp", "check_stamp", "is_authority", "load_rfc3161", "load_roots"]

TIMEOUT_S: Final = 10.0
"""Seconds to wait for an authority at each step."""

MAX_STAMP_BYTES: Final = 64 * 1024
"""A larger answer is no time stamp."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp that was found valid."""

    authority: str
    """What the authority calls itself in the stamp (the field `tsa` of RFC 3161, signed with the
    rest): its common name, else its whole name, else `an authority`. The name in its certificate
    may be another; who counts is decided by the roots alone.
    """
    at: int
    """Seconds since 1970."""


def is_authority(place: str) -> bool:
    """Whether a witness is a time-stamp authority: a URL, not a folder."""
    return urlsplit(place).scheme in ("http", "https")


def load_rfc3161() -> Any:
    """The package that reads and makes stamps. Raises `MissingExtraError` without it."""
    try:
        return import_module("rfc3161_client")
    except ModuleNotFoundError as error:
        raise MissingExtraError("rfc3161-client", "timestamps") from error


def ask_for_stamp(url: str, message: bytes) -> bytes:
    """An authority's time stamp over a message, as DER of its whole response.

    Raises `TrailError` if it does not answer, refuses, or stamps something else.
    """
    package = load_rfc3161()
    request = (
        package.TimestampRequestBuilder().data(message).cert_request(cert_request=True).build()
    )
    try:
        asked = urllib.request.Request(  # noqa: S310 - a setting names the URL
            url, request.as_bytes(), {"Content-Type": "application/timestamp-query"}
        )
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:  # noqa: S310
            data: bytes = answer.read(MAX_STAMP_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TrailError(f"the time-stamp authority {url} does not answer: {error}") from error
    try:
        stamp = package.decode_timestamp_response(data[:MAX_STAMP_BYTES])
        imprint = stamp.tst_info.message_imprint.message
        nonce = stamp.tst_info.nonce
    except Exception as error:  # the package raises what its parser raises
        raise TrailError(f"what {url} answers is no time stamp: {error}") from error
    if imprint != request.message_imprint.message or nonce != request.nonce:
        raise TrailError(f"the time stamp of {url} is of something else")
    return data


def load_roots(path: Path) -> list["Certificate"]:
    """The certificates in a PEM file. Raises `TrailError` if there are none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrailError(f"{path} holds no certificates of an authority: {error}") from error


def check_stamp(stamp: bytes, message: bytes, roots: Sequence["Certificate"]) -> Stamp:
    """What a stamp over a message says, if one of these certificates vouches for its signer.

    Raises `ProofError` if it is malformed, of another message, or not vouched for.
    """
    package = load_rfc3161()
    builder = package.VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        response = package.decode_timestamp_response(stamp[:MAX_STAMP_BYTES])
        if not builder.build().verify_message(response, message):
            raise ProofError("the time stamp is not valid")
        info = response.tst_info
        return Stamp(_name(info.name), int(info.gen_time.timestamp()))
    except ProofError:
        raise
    except Exception as error:  # the package raises what its parser raises
        raise ProofError(f"the time stamp is not valid: {error}") from error


def _name(name: Any) -> str:
    """The common name of an authority, or all that it calls itself."""
    from cryptography.x509 import NameOID

    value = getattr(name, "value", None)
    if value is None:
        return "an authority"
    common = value.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else value.rfc4514_string()
