"""`flowaudit setup`: the tables, functions and roles of a trail in PostgreSQL."""

import argparse

from ..errors import SettingError
from ..vault.opening import needed
from ..vault.place import DatabaseUrl
from .options import add_trail, trail_paths

__all__ = ["add_parser", "run"]


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = commands.add_parser(
        "setup",
        help="make or renew the tables, functions and roles of a trail in PostgreSQL",
        description="Set up trail and vault in PostgreSQL, as a role that may create roles and "
        "schemas. Run again, it changes nothing or renews what an older flowaudit made. Whoever "
        "writes or reads then gets a log-in that is a member of the roles it prints.",
        epilog="example: flowaudit setup --trail postgresql://dba@db.example/audit",
    )
    add_trail(parser, help_text="the database of the trail")
    parser.add_argument(
        "--print",
        dest="shown",
        choices=("trail", "vault"),
        help="do nothing, but print the SQL for a trail or a vault",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Set up what of trail and vault is in a database, and say who may do what."""
    with needed():
        from ..trail.postgres_setup import script, set_up
    if args.shown:
        print(script(args.shown), end="")
        return 0
    paths = trail_paths(args, must_exist=False)
    databases = {"trail": paths.trail, "vault": paths.vault}
    places = {w: p for w, p in databases.items() if isinstance(p, DatabaseUrl)}
    if not places:
        raise SettingError("trail", str(paths.trail), "postgresql://USER@HOST/DATABASE")
    for what, place in places.items():
        set_up(place, what)
        print(f"The {what} in {place} is set up.")
    for what in places:
        for role, may in _ROLES[what]:
            print(f"  {role:<20} {may}")
    return 0


_ROLES = {
    "trail": (
        ("flowaudit_writer", "adds events and reads none: for apps"),
        ("flowaudit_product", "reads events without their personal part"),
        ("flowaudit_security", "reads events with it"),
        ("flowaudit_auditor", "reads everything, and verifies"),
        ("flowaudit_eraser", "erases the personal part of events"),
        ("flowaudit_archivist", "moves entries into archives, and prunes"),
    ),
    "vault": (
        ("flowaudit_tokens", "gets tokens for identities it names: for apps"),
        ("flowaudit_vault", "opens, holds and erases identities"),
    ),
}
