"""Forecasts of a project: what its folder says about sizes, deadline and zone goes into the question."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from boxlift.errors import UsageError
from boxlift.figures import duration, zoned
from boxlift.forecast.arrivals import ArrivalPattern, read_arrivals
from boxlift.forecast.decision import GO_STEP
from boxlift.forecast.forecast import DRAWS, SEED, Question, forecast
from boxlift.forecast.result import Finish, Forecast
from boxlift.journal import Journal
from boxlift.plan import Pass
from boxlift.plan.state import position, release_of
from boxlift.project import Project
from boxlift.project.zone import portal_zone


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
    arrivals = _arrivals(project, strict=detail)
    size_from = "as you said"
    if size is None:
        size, size_from = project.backup_size(chosen), f"what backup/{chosen}.txt names"
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
    """When a pass will be done, quickly: without starts, facts and coverage."""
    return ask(project, journal, pass_, detail=False)


def when_done(project: Project, journal: Journal, pass_: Pass) -> str:
    """When a pass will be done, in the words of `status`, `plan` and `run`."""
    return in_words(outlook(project, journal, pass_))


def in_words(told: Forecast, moment: Callable[[float | None], str] = zoned) -> str:
    """When the forecast's pass will be done; `moment` writes a time."""
    if told.finish is None:
        return f"the {told.pass_name} is complete"
    texts = []
    if told.cut_over is not None:
        texts.append(f"cut-over {_by(told.cut_over.ends, told, moment)}")
    if told.cut_over is None or told.cut_over.ends != told.finish:
        texts.append(f"all of the {told.pass_name} {_by(told.finish, told, moment)}")
    return "; ".join([*texts, *_latest_go(told, moment)])


def _by(end: Finish, told: Forecast, moment: Callable[[float | None], str]) -> str:
    return f"{moment(end.p50)} ({duration(end.p50 - told.made)}), 80 of 100 moves by {moment(end.p80)}"


def advice(project: Project, journal: Journal, pass_: Pass, step: str) -> list[str]:
    """What the forecast has to say to the person whose step is next: to go-no-go its latest hour."""
    return _latest_go(outlook(project, journal, pass_)) if step == GO_STEP else []


def _latest_go(told: Forecast, moment: Callable[[float | None], str] = zoned) -> list[str]:
    if told.decision is None or told.decision.latest_go is None:
        return []
    limit, deadline = moment(told.decision.latest_go), moment(told.decision.deadline)
    return [f"the latest hour to say go is {limit}: 95 of 100 moves then meet {deadline}"]


def freeze(project: Project, journal: Journal, pass_: Pass, *, anew: bool = False) -> None:
    """Keep the forecast of a pass as it begins, to be compared with the fact.

    Once for each release, and with `anew` once more: when its backup has come.
    """
    release = release_of(pass_, journal.verdicts())
    if not anew and any((item.pass_, item.release) == (pass_, release) for item in journal.forecasts()):
        return
    told = ask(project, journal, pass_, detail=False)
    journal.freeze(str(pass_), told.release, told.made, told.model_dump_json(by_alias=True))


def _arrivals(project: Project, *, strict: bool) -> ArrivalPattern | None:
    """A file that can't be read must not keep a run from its work."""
    try:
        return read_arrivals(project.root)
    except UsageError:
        if strict:
            raise
        return None


def portal_moment(project: Project, moment: datetime) -> float:
    """Seconds since 1970 of a moment that a person names: without a zone by the portal's clock."""
    try:
        return _moment(moment, project, _arrivals(project, strict=False))
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{moment} is no moment that a clock here knows", cure="check the year") from error


def _moment(deadline: datetime, project: Project, arrivals: ArrivalPattern | None) -> float:
    if deadline.tzinfo is None:
        deadline = deadline.replace(tzinfo=_zone(project, arrivals))
    return deadline.timestamp()


def _zone(project: Project, arrivals: ArrivalPattern | None) -> ZoneInfo | None:
    """The portal's zone; None, the control node's, where nobody has said it."""
    if arrivals is None:
        return portal_zone(project.inventory)
    return ZoneInfo(arrivals.timezone) if arrivals.timezone in available_timezones() else None
