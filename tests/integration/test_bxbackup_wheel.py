"""bxbackup alone: wheels make a working command on both Debians' Pythons, without network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxlift import wheels

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "bxbackup" / "tests" / "data"
NOWHERE = "http://127.0.0.1:9"


def interpreters(version: str) -> Iterator[str]:
    """Where a Python of this version may be: on the PATH, or among those of pyenv."""
    if (found := shutil.which(f"python{version}")) is not None:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))


def interpreter(version: str) -> str:
    """A Python of this version that runs and can make environments."""
    for path in interpreters(version):
        if subprocess.run([path, "-c", "import ensurepip"], check=False, capture_output=True).returncode == 0:
            return path
    pytest.skip(f"no Python {version} with venv on this machine")


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of wheels that a control node carries to its hosts."""
    target = tmp_path_factory.mktemp("carried") / "wheels"
    wheels.collect(ROOT / "bxbackup", ROOT / "constraints.txt", target)
    return target


def test_each_python_gets_its_wheels(carried: Path) -> None:
    names = [path.name for path in carried.glob("*.whl")]
    compiled = {name.split("-")[0] for name in names if "-cp3" in name}
    assert {"aiohttp", "isal"} <= compiled
    for name in sorted(compiled):
        for tag in ("cp311", "cp313"):
            mine = [wheel for wheel in names if wheel.startswith(f"{name}-")]
            assert any(f"-{tag}-" in wheel or "-abi3-" in wheel for wheel in mine), (name, tag)
    assert not [name for name in names if name.startswith(("ansible", "boxlift"))]


@pytest.mark.parametrize("version", wheels.PYTHONS)
def test_a_host_without_network_gets_a_working_command(carried: Path, tmp_path: Path, version: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PIP_CONFIG_FILE": os.devnull,
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
    }

    def call(*argv: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, argv)), cwd=home, env=environment, check=False, capture_output=True, text=True
        )

    place = tmp_path / "bxbackup"
    made = call(interpreter(version), "-m", "venv", place)
    assert made.returncode == 0, made.stderr
    installed = call(place / "bin/pip", "install", "--no-index", f"--find-links={carried}", "bxbackup")
    assert installed.returncode == 0, installed.stderr
    assert call(place / "bin/pip", "check").returncode == 0
    command = place / "bin/bxbackup"
    shown = call(command, "--help")
    assert shown.returncode == 0, shown.stderr
    assert "restore" in shown.stdout
    (wheel,) = carried.glob("bxbackup-*.whl")
    assert call(command, "--version").stdout.strip() == wheel.name.split("-")[1]
    first = min((SAMPLES / "M1").glob("*.tar.gz"))
    verified = call(command, "verify", first, "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["sound"]
    password = tmp_path / "password"
    password.write_text(json.loads((SAMPLES / "M3" / "manifest.json").read_text())["password"])
    password.chmod(0o600)
    blowfish = min((SAMPLES / "M3").glob("*.enc"))
    unpacked = call(command, "unpack", blowfish, "--to", tmp_path / "out", "--password-file", password)
    assert unpacked.returncode == 0, unpacked.stderr
