"""A line on which anything may happen at any request, by seed: the end is the same, or a clean code."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from backup_samples import M1, Run, tree
from fake_database import FakeDatabase
from faulty_server import Answer, FaultyServer, Request

from bxbackup import transfer


def chaos(seed: int, cloud: FaultyServer) -> None:
    """A third of all requests go wrong somehow; each part arrives altered at most once."""
    dice = random.Random(seed)
    altered: set[str] = set()

    def rule(seen: Request) -> Answer | None:
        if dice.random() > 0.35:
            return None
        data = bytearray((cloud.folder / seen.name).read_bytes())
        etag = cloud.etag(bytes(data))
        answers = [
            Answer(status=dice.choice([429, 500, 502, 503, 504])),
            Answer(status=503, headers={"Retry-After": "0"}),
            Answer(cut=dice.randrange(len(data))),
            Answer(cut=0),
            Answer(ranges=False),
            Answer(ranges=False, cut=dice.randrange(len(data))),
            Answer(status=416),
            Answer(hang=dice.randrange(len(data))),
            Answer(rate=200_000),
            Answer(headers={"Content-Length": str(len(data) + 7)}),
        ]
        if seen.count and seen.name not in altered:
            altered.add(seen.name)
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            answers += [Answer(body=bytes(data), etag=etag)] * 4
        return dice.choice(answers)

    cloud.rules.append(rule)


SEEDS = [*range(6), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(6, 60))]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_the_line_does_the_end_is_the_same(
    run: Run,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(transfer, "SILENCE", 0.3)
    monkeypatch.setattr(transfer, "SMALLEST_SEGMENT", 6000)
    monkeypatch.setattr(transfer, "LARGEST_SEGMENT", 6000)
    monkeypatch.setattr(transfer, "SAVE_EVERY", 5000)
    chaos(seed, cloud)
    outcome = run(
        *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "d"),
        *("--state", tmp_path / "state", "--connections", 1 + seed % 4),
    )
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=False)
    assert fake_database.loaded
