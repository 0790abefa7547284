"""Runs the plan's steps: Ansible and the suites, one runner at a time, every event into the journal."""

from boxlift.runner.command import Command, run_command, run_verification
from boxlift.runner.walk import Request, run_plan

__all__ = ["Command", "Request", "run_command", "run_plan", "run_verification"]
