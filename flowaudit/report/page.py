"""A report as one page of HTML."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from .._version import __version__
from .build import Case, Report
from .charts import draw_bars, draw_strip
from .ladder import Ladder
from .lone_page import asset, content_policy, markup, page_environment
from .picture import Picture
from .sankey import draw_sankey, node_name
from .sentences import ladder_sentence, sentences_of
from .words import amount, moment, percent, period, shorten, span

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

__all__ = ["render_page"]

METER_PX: Final = 100
ONWARD: Final = 4
"""Ways on from a step that the table names."""

_ENDS: Final = {"goal": "reach the goal", "leaves": "leave", "goes-on": "go on"}
_STATES: Final = {"refused": "refused", "failed": "failed"}


def render_page(report: Report) -> str:
    """The report as an HTML page."""
    jinja = _environment()
    style, script = asset(__package__, "report.css"), asset(__package__, "report.js")
    page = jinja.get_template("report.html")
    return page.render(
        r=report,
        version=__version__,
        csp=content_policy(style, script),
        style=markup(style),
        script=markup(script),
        sentences=sentences_of(report),
        sankey=draw_sankey(report.picture),
        picture_rows=list(_picture_rows(report.picture)),
        journey_bars=draw_bars(report.journeys, report.releases, what="journeys", kind="neutral"),
        denied_bars=draw_bars(report.denied_times, report.releases, what="refusals", kind="denied"),
        strips=_strips(report),
        by_actor=[
            (None if who is None else report.name_of(who), n) for who, n in report.denied.by_actor
        ],
        cut_findings=_cut(report),
        evidence_caption=_evidence_caption,
        ladder_sentence=ladder_sentence,
        ladder_rows=_ladder_rows,
    )


def _environment() -> "Environment":
    jinja = page_environment(__package__)
    jinja.globals.update(
        moment=moment, percent=percent, period=period, shorten=shorten, meter=_meter
    )
    macros = jinja.get_template("macros.html").module
    jinja.globals.update(ranking=macros.ranking, series_table=macros.series_table)  # type: ignore[attr-defined]
    return jinja


def _meter(part: int, whole: int, before: int | None = None) -> "Markup":
    """A bar; the part that was lost since the row before it is drawn paler behind it."""
    width = METER_PX * part / whole if whole else 0
    lost = METER_PX * (before or part) / whole if whole else 0
    ghost = (
        f'<rect class="lost" x="{width:.1f}" width="{lost - width:.1f}" height="10"/>'
        if lost > width
        else ""
    )
    return markup(
        f'<svg class="meter" viewBox="0 0 {METER_PX} 10" preserveAspectRatio="none"'
        f' aria-hidden="true">{ghost}<rect width="{max(width, 0.6):.1f}" height="10"/></svg>'
    )


def _ladder_rows(ladder: Ladder) -> Iterator[Mapping[str, object]]:
    result = ladder.result
    for place, step in enumerate(result.steps):
        reached, lost = result.reached[place], result.drop_off[place]
        before = result.reached[place - 1] if place else reached
        yield {
            "name": step,
            "bar": _meter(reached, result.reached[0], before),
            "reached": f"{reached:,}",
            "share": percent(reached, result.reached[0]),
            "lost": f"{lost:,}" if lost else "–",
            "took": span(result.median_us[place]) if place and reached else "–",
            "is_worst": place == ladder.worst,
        }


def _picture_rows(picture: Picture) -> Iterator[Mapping[str, object]]:
    onward: dict[int, list[tuple[int, str]]] = {}
    for link in picture.links:
        to = link.target
        name = node_name(picture.nodes[to]) if isinstance(to, int) else _ENDS[to]
        onward.setdefault(link.origin, []).append((link.journeys, name))
    order = sorted(range(len(picture.nodes)), key=lambda i: (picture.nodes[i].column, i))
    for place in order:
        node = picture.nodes[place]
        ways = sorted(onward.get(place, []), key=lambda way: (-way[0], way[1]))
        rest = sum(n for n, _ in ways[ONWARD:])
        named = [f"{name} {n:,}" for n, name in ways[:ONWARD]]
        yield {
            "column": node.column,
            "name": node_name(node),
            "state": node.state,
            "word": "goal" if node.is_goal else _STATES.get(node.state, ""),
            "journeys": f"{node.journeys:,}",
            "share": percent(node.journeys, picture.journeys),
            "stay": span(node.stay_us) if node.stay_us is not None else "–",
            "onward": ", ".join([*named, f"elsewhere {rest:,}"] if rest else named),
        }


def _strips(report: Report) -> list[Mapping[str, object]]:
    most = max((n for _, series in report.denied_sources for n in series.counts), default=0)
    return [
        {"name": name, "svg": draw_strip(series, most, name), "total": f"{series.total:,}"}
        for name, series in report.denied_sources
    ]


def _cut(report: Report) -> str:
    found, shown = len(report.review.findings), len(report.cases)
    return f"The {shown:,} gravest are shown." if found > shown else ""


def _evidence_caption(case: Case) -> str:
    shown, total = len(case.events), case.finding.events_total
    said = f"{amount(total, 'event')} made it fire"
    return f"{said}; the first {shown:,} of them:" if total > shown else f"{said}:"
