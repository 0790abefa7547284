"""Plots as SVG that takes its colours from the page."""

from boxlift.report.plot.home import prepare

# before any module of this package loads matplotlib
prepare()
