"""`python -m tests.move`: remove all that the story's lab ever made."""

from boxlift.lab.hosts import Hosts
from tests.move.support import lab_of_the_story, say

lab = lab_of_the_story()
if lab.folder.exists():
    Hosts(lab, say).down(everything=True)
