"""Runs the plan's steps: Ansible and the suites, one runner at a time, every event into the journal."""

from boxlift.runner.walk import Request, run_plan, run_work

__all__ = ["Request", "run_plan", "run_work"]
