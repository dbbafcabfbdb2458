"""No text that a client can send keeps us busy: what looks at it takes time in proportion."""

import time
from collections.abc import Callable
from itertools import combinations, permutations
from typing import Any

import pytest

from flowaudit.policy.login_pages import LoginPages
from flowaudit.policy.proxies import Proxies
from flowaudit.policy.redact import (
    clean_host,
    clean_request_id,
    clean_trace_id,
    mask,
    redact_agent,
    redact_path,
    redact_query,
    redact_referer,
)
from flowaudit.policy.signs import attack_flags

LONG, SHORT = 16_384, 512
LIMIT_S = 1.0
"""What takes time by the square takes seconds for the long text, by the cube for the short one."""

PARTS = (
    "\r\n %0d%0a \n \t a aA a1 0 9 1- eyJ eyJa. a. @ a@ %40 %2540 %25 / // .. ../ ; ' \" ` `a -- #"
    " /* */ ' or+ or+1 union union/* union+select select+ { {{ {{* } ${ ${* #{ #{( $( $(a ( <svg"
    " <svg+on <script on onload onload+ = =+ =http : :// http:// javascript+ sk- SG. SG.a EAA ghp_"
    " AKIA xox password= %C3 \xc3 a/B1/ token%3a Bearer+ basic%20 a=b& [ ] ::1 , for= \\ | &id ;cat"
).split(" ")

LOOKS: dict[str, Callable[[str], Any]] = {
    "attack_flags": lambda text: attack_flags(text, text),
    "clean_host": clean_host,
    "clean_request_id": clean_request_id,
    "clean_trace_id": clean_trace_id,
    "login_pages": lambda text: LoginPages(["/a"]).is_led_to(text, text, text),
    "mask": mask,
    "proxies": lambda text: Proxies(["10.0.0.0/8"]).resolve("10.0.0.1", text),
    "redact_agent": redact_agent,
    "redact_path": redact_path,
    "redact_query": lambda text: redact_query(text, frozenset(["a", "token"])),
    "redact_referer": redact_referer,
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_text_takes_time_in_proportion(name: str) -> None:
    look = LOOKS[name]
    texts = [part * (LONG // len(part)) for part in PARTS]
    texts += [(a + b) * (SHORT // len(a + b)) for a, b in combinations(PARTS, 2)]
    texts += [a + b * (SHORT // len(b)) for a, b in permutations(PARTS, 2)]
    for text in texts:
        start = time.process_time()
        look(text)
        assert time.process_time() - start < LIMIT_S, text[:30]
