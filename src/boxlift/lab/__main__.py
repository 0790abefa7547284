"""`python -m boxlift.lab`: the lab's commands without the runner's."""

from boxlift.lab.cli import app

app(prog_name="boxlift lab")
