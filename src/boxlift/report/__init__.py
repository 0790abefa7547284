"""The report: one HTML file for client and team, and the same live while a run goes on."""

from boxlift.report.gather import gather
from boxlift.report.page import render

__all__ = ["gather", "render"]
