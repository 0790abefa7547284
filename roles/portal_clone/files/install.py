"""Write the program's modules, told on standard input as {name: source}; say whether any was new."""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
folder.mkdir(mode=0o755, parents=True, exist_ok=True)
modules = json.load(sys.stdin)
changed = False
for path in folder.glob("*.py"):
    if path.name not in modules:
        path.unlink()
        changed = True
for name, source in modules.items():
    path = folder / name
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        fresh = folder / f".{name}.new"
        fresh.write_text(source, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
        changed = True
sys.stdout.write("changed" if changed else "same")
