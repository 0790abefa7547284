"""Lay a report out as HTML: one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from boxlift.figures import count, duration, size
from boxlift.plan import Pass
from boxlift.report.model import Missing, Report
from boxlift.report.outlook import compared, facts, steps_ahead
from boxlift.report.plot import span as span_plot
from boxlift.report.plot import timeline as timeline_plot
from boxlift.report.plot import transfer as transfer_plot
from boxlift.report.plot import week as week_plot
from boxlift.report.plot.week import DAYS
from boxlift.report.transfer import hourly

SECTIONS = {
    "standing": "Where we are",
    "left": "What is left, and by whom",
    "forecast": "When it will be done",
    "week": "When to start",
    "timeline": "Timeline",
    "facts": "Forecast and fact",
    "transfer": "Transfer",
    "events": "Incidents",
    "repairs": "Repairs and their proof",
    "verification": "Verification",
    "risks": "Feared defects",
    "leads": "Lead sources",
    "words": "What people said",
}
"""Id of each section to its heading, in their order."""


def _capital(text: str) -> str:
    """`restore-backup waits` to `Restore-backup waits`; what follows keeps its case."""
    return text[:1].upper() + text[1:]


def _codes(text: str) -> Markup:
    """Words between backticks as code."""
    parts = (escape(part) for part in text.split("`"))
    return Markup().join(
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(parts)
    )


def _readable(name: str) -> str:
    """`repairs/test_push.py::test_key_is_the_push_servers` to `push: key is the push servers`."""
    module, _, test = name.rpartition("::")
    place = module.rpartition("/")[2].removesuffix(".py").removeprefix("test_")
    return f"{place}: {test.removeprefix('test_').replace('_', ' ')}" if place else name


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("boxlift.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "capitalize_first": _capital,
        "codes": _codes,
        "counted": count,
        "duration": duration,
        "readable": _readable,
        "size": size,
    }
    environment.globals |= {
        "hourly": hourly,
        "compared": compared,
        "days": DAYS,
        "facts": facts,
        "passes": tuple(Pass),
        "span_plot": span_plot.draw,
        "steps_ahead": steps_ahead,
        "timeline_plot": timeline_plot.draw,
        "transfer_plot": transfer_plot.draw,
        "week_plot": week_plot.draw,
    }
    environment.tests["missing"] = lambda part: isinstance(part, Missing)
    return environment


_ENVIRONMENT = _environment()


def policy(*, live: bool = False) -> str:
    """Content security policy: nothing from outside, our style sheet, no script but the live view's."""
    style = _ENVIRONMENT.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    rules = ["default-src 'none'", f"style-src 'sha256-{digest}'", "img-src data:"]
    if live:
        rules += ["script-src 'self'", "connect-src 'self'"]
    return "; ".join([*rules, "base-uri 'none'", "form-action 'none'"])


def sections(report: Report) -> dict[str, str]:
    """The inside of each section."""
    return {
        name: _ENVIRONMENT.get_template(f"section/{name}.html.j2").render(report=report, clock=report.clock)
        for name in SECTIONS
    }


def render(report: Report, *, live: bool = False) -> str:
    """The whole document. `live`: with the script that keeps it up to date."""
    return _ENVIRONMENT.get_template("page.html.j2").render(
        report=report, clock=report.clock, headings=SECTIONS, policy=policy(live=live), live=live
    )
