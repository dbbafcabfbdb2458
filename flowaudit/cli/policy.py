"""`flowaudit policy check`: which rule a request meets, and what would be recorded of it."""

import argparse
from typing import Any

from ..capture.targets import split_target
from ..policy.explain import Explanation, explain
from ..policy.rule import ACTOR_KINDS, Late
from ..policy.rules import find_policy
from ..report.words import printable
from .options import add_policy
from .output import print_json
from .wording import fold

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "policy",
        help="which rule of the policy file a request meets",
        description="Ask the policy file.",
        epilog="example: flowaudit policy check POST /api/orders/7 --actor-kind user",
    )
    actions = parser.add_subparsers(title="what to ask", metavar="check", required=True)
    check = actions.add_parser(
        "check",
        help="explain what is recorded of a request",
        description="Name the rule that a request meets, say of each rule above it why it did not "
        "fit, and what would be recorded. What is not given counts as not there.",
        epilog="example: flowaudit policy check GET /api/orders/7 --route '/api/orders/{id}'",
    )
    check.add_argument("method", metavar="METHOD", help="such as GET")
    check.add_argument("path", metavar="PATH", help="as the client sends it; a query is ignored")
    check.add_argument("--route", metavar="R", help="the route template, such as /orders/{id}")
    check.add_argument("--resource", metavar="X", help="the kind of thing that is touched")
    check.add_argument("--actor-kind", choices=ACTOR_KINDS, help="who acts")
    add_policy(check)
    check.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people (default), json for programs",
    )
    check.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Decide, and say why."""
    method, path = args.method.upper(), split_target(args.path)[0]
    late = Late(args.route, args.resource, args.actor_kind)
    found = explain(find_policy(args.policy), method, path, late)
    if args.format == "json":
        print_json(_as_json(method, path, late, found))
    else:
        _print_text(method, path, found)
    return 0


def _as_json(method: str, path: str, late: Late, found: Explanation) -> dict[str, Any]:
    rule = found.rule
    return {
        "method": method,
        "path": path,
        **late._asdict(),
        "rule": rule.name or None,
        "text": rule.text if rule.name else None,
        "level": rule.level,
        "durability": rule.durability,
        "reason": rule.reason,
        "records": list(found.records),
        "passed_over": [
            {"rule": each.name, "text": each.text, "why": why} for each, why in found.passed_over
        ],
    }


def _print_text(method: str, path: str, found: Explanation) -> None:
    rule = found.rule
    decides = f"{rule.name} decides ({rule.text})" if rule.name else "no rule fits"
    print(fold(printable(f"{method} {path}: {decides}.")))
    print(f"Level {rule.level}, durability {rule.durability}.")
    if rule.reason:
        print(fold(printable(f"Reason: {rule.reason}")))
    print("\nRecorded")
    for record in found.records:
        print(f"  {printable(record)}")
    if found.passed_over:
        print("\nPassed over")
    for each, why in found.passed_over:
        print(f"  {each.name}: {printable(why)}")
