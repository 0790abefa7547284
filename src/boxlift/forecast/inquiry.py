"""Forecasts of a project: what its folder says about sizes, deadline and zone goes into the question."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import yaml

from boxlift.errors import PreflightError
from boxlift.figures import duration, local
from boxlift.forecast.arrivals import ArrivalPattern, read_arrivals
from boxlift.forecast.forecast import DRAWS, SEED, Question, forecast
from boxlift.forecast.result import Forecast
from boxlift.journal import Journal
from boxlift.plan import Pass
from boxlift.plan.state import position
from boxlift.project import Project

_QUICK_DRAWS = 500


def ask(
    project: Project,
    journal: Journal,
    pass_: Pass | None = None,
    *,
    size: int | None = None,
    deadline: datetime | None = None,
    seed: int = SEED,
    draws: int = DRAWS,
    now: float | None = None,
    detail: bool = True,
) -> Forecast:
    """The forecast of a pass; without one, of the pass that commands work on, or of the final after it.

    :param size: bytes of the new backup; else what the project's list of sources or the journal says.
    :param deadline: else that of boxlift.yml; without a zone by the portal's clock.
    :param detail: with starts, facts and coverage.
    """
    plan = project.plan()
    alive = project.runner_alive()
    chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
    if pass_ is None and not position(plan, journal, chosen, runner_alive=alive).ahead:
        chosen = Pass.FINAL
    arrivals = read_arrivals(project.root)
    size_from = "as you said"
    if size is None:
        size, size_from = _listed_size(project, chosen), "the files of the project's backup list"
    deadline = deadline or project.settings.deadline
    question = Question(
        pass_=chosen,
        size=size,
        size_from=size_from,
        deadline=_moment(deadline, project, arrivals) if deadline else None,
        now=now,
        draws=draws,
        seed=seed,
        detail=detail,
    )
    return forecast(plan, journal, question, arrivals, runner_alive=alive)


def outlook(project: Project, journal: Journal, pass_: Pass) -> Forecast:
    """When a pass will be done, quickly: for `status`, `plan` and `run`."""
    return ask(project, journal, pass_, draws=_QUICK_DRAWS, detail=False)


def when_done(told: Forecast) -> str:
    """`2026-11-24 18:20:00 (80 of 100 moves: by 2026-11-24 21:40:00; 9 h left)`."""
    if told.finish is None:
        return f"the {told.pass_name} is complete"
    left = duration(told.finish.p50 - told.made)
    return f"{local(told.finish.p50)}; 80 of 100 moves by {local(told.finish.p80)} ({left} left)"


def latest_go(told: Forecast) -> str | None:
    """What the step go-no-go shows: its latest hour; None without a deadline, or once it is said."""
    if told.decision is None or told.decision.latest_go is None:
        return None
    limit = local(told.decision.latest_go)
    return f"latest hour to say go: {limit}, so that 95 of 100 moves meet {local(told.decision.deadline)}"


def freeze(project: Project, journal: Journal, pass_: Pass) -> bool:
    """Keep the forecast of a pass as it begins, so that it can be compared with the fact; once a release.

    Gives whether this one was kept.
    """
    told = ask(project, journal, pass_, detail=False)
    known = {(item.pass_, item.release) for item in journal.forecasts()}
    if (str(pass_), told.release) in known:
        return False
    journal.freeze(str(pass_), told.release, told.made, told.model_dump_json(by_alias=True))
    return True


def _listed_size(project: Project, pass_: Pass) -> int | None:
    """Bytes of a backup whose parts lie on the control node; None where they are behind links."""
    try:
        sources = project.backup(pass_).sources
    except PreflightError:
        return None
    if any("://" in source for source in sources):
        return None
    paths = [project.root / source for source in sources]
    if len(paths) == 1:
        paths += sorted(paths[0].parent.glob(f"{paths[0].name}.*"))
    try:
        return sum(path.stat().st_size for path in paths) or None
    except OSError:
        return None


def _moment(deadline: datetime, project: Project, arrivals: ArrivalPattern | None) -> float:
    if deadline.tzinfo is None:
        deadline = deadline.replace(tzinfo=_zone(project, arrivals))
    return deadline.timestamp()


def _zone(project: Project, arrivals: ArrivalPattern | None) -> ZoneInfo | None:
    """The portal's zone; None, the control node's, where nobody has said it."""
    name = arrivals.timezone if arrivals else _inventory_zone(project.inventory)
    return ZoneInfo(name) if name in available_timezones() else None


def _inventory_zone(inventory: Path) -> str | None:
    try:
        data = yaml.safe_load((inventory / "group_vars" / "all" / "project.yml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return None
    return str(data.get("portal_timezone")) if isinstance(data, dict) else None
