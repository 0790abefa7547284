"""Images of the lab's hosts: described in lab/images, built from Debian packages, cached by content."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from boxlift.errors import ExitCode
from boxlift.lab import sources
from boxlift.lab.command import run
from boxlift.lab.engine import Engine
from boxlift.lab.errors import LabError
from boxlift.lab.place import WORK

PREFIX = "localhost/boxlift-lab"
LABEL = "boxlift.lab.image=1"
_AUTHORITIES = Path("/usr/local/share/ca-certificates")
_FORMAT = "1"  # raise it when the way of building changes


@dataclass(frozen=True)
class Image:
    """What an image is made of. Exactly one of `suite` (a Debian release) and `parent` (an image) is set."""

    name: str
    suite: str
    parent: str
    packages: tuple[str, ...]
    rootfs: Path


@dataclass(frozen=True)
class Stored:
    """An image in Podman's storage: its names and the digests of its layers, the lowest first."""

    id: str
    references: tuple[str, ...]
    layers: tuple[str, ...]

    def stands_on(self, other: Stored) -> bool:
        return len(self.layers) > len(other.layers) and self.layers[: len(other.layers)] == other.layers


def load(folder: Path, name: str) -> Image:
    """The image `name` of lab/images."""
    path = folder / f"{name}.yml"
    data = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    unknown = set(data) - {"suite", "from", "packages", "rootfs"}
    if unknown or ("suite" in data) == ("from" in data):
        raise LabError(
            f"{path}: needs either suite or from, packages and rootfs, and nothing else", ExitCode.OUR_FAULT
        )
    return Image(
        name,
        str(data.get("suite", "")),
        str(data.get("from", "")),
        tuple(map(str, data["packages"])),
        folder / "rootfs" / str(data["rootfs"]),
    )


def overlay(rootfs: Path) -> bytes:
    """The files of `rootfs` and the machine's own certificate authorities: a reproducible tar, all root's."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(rootfs.rglob("*")):
            archive.add(path, str(path.relative_to(rootfs)), recursive=False, filter=_as_root)
        for path in sorted(_AUTHORITIES.glob("*.crt")):
            archive.add(path, str(path).lstrip("/"), recursive=False, filter=_as_root)
    return buffer.getvalue()


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    return member


class Images:
    """The images of one machine: `reference` says which one fits, `build` makes it unless it is there."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._folder = engine.lab.images

    def reference(self, name: str) -> str:
        """Name and tag of the image; the tag changes with everything that the image is made of."""
        image = load(self._folder, name)
        parts = [_FORMAT, image.suite, *image.packages]
        if image.parent:
            parts.append(self.reference(image.parent))
        else:
            found = sources.for_suite(image.suite)
            parts += [*found.lines, *found.options]
        digest = hashlib.sha256(json.dumps(parts).encode() + overlay(image.rootfs))
        return f"{PREFIX}/{name}:{digest.hexdigest()[:12]}"

    def root(self, name: str) -> str:
        """The image at the bottom of `name`, made of Debian packages alone."""
        image = load(self._folder, name)
        return self.root(image.parent) if image.parent else name

    def remove(self) -> list[str]:
        """Remove the images that this lab's definitions give; returns the references of those in use.

        One that a container or another image stands on stays: Podman would take the name of the latter.
        """
        used = set(self._engine.podman("ps", "--all", "--no-trunc", "--format", "{{.ImageID}}").split())
        stored = self._stored()
        kept: list[str] = []
        for reference in self._defined():
            image = next((image for image in stored if reference in image.references), None)
            if image is None:
                continue
            in_use = image.id in used or any(other.stands_on(image) for other in stored)
            if in_use or not self._engine.succeeds("rmi", reference):
                kept.append(reference)
            else:
                stored.remove(image)
        return kept

    def _defined(self) -> list[str]:
        """References of all images of lab/images, each before the one that it stands on."""
        chains = [self._chain(path.stem) for path in sorted(self._folder.glob("*.yml"))]
        return [self.reference(chain[0]) for chain in sorted(chains, key=len, reverse=True)]

    def _chain(self, name: str) -> list[str]:
        """The image and all that it stands on."""
        parent = load(self._folder, name).parent
        return [name, *(self._chain(parent) if parent else ())]

    def _stored(self) -> list[Stored]:
        """Images of labs, this one's and others', that the machine has."""
        ids = self._engine.podman("images", "--quiet", "--no-trunc", "--filter", f"label={LABEL}").split()
        if not ids:
            return []
        return [
            Stored(str(entry["Id"]), tuple(entry["RepoTags"] or ()), tuple(entry["RootFS"]["Layers"]))
            for entry in json.loads(self._engine.podman("image", "inspect", *sorted(set(ids))))
        ]

    def build(self, name: str) -> None:
        """Make the image `name`, and what it stands on, unless it is there."""
        reference = self.reference(name)
        if self._engine.has_image(reference):
            return
        image = load(self._folder, name)
        with tempfile.TemporaryDirectory(dir=self._engine.lab.folder, prefix=WORK) as folder:
            files = Path(folder, "files.tar")
            files.write_bytes(overlay(image.rootfs))
            if image.parent:
                self.build(image.parent)
                self._extend(image, reference, Path(folder))
            else:
                self._bootstrap(image, reference, Path(folder))

    def _bootstrap(self, image: Image, reference: str, folder: Path) -> None:
        found = sources.for_suite(image.suite)
        target = folder / "base.tar"
        options = [f"--aptopt={line}" for line in found.options]
        run(
            [
                # If we are killed, it ends with all that it has started, and its mounts go with it.
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
                *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase"),
                f"--include={','.join(image.packages)}",
                *options,
                f"--customize-hook=tar-in {folder / 'files.tar'} /",
                '--customize-hook=chroot "$1" update-ca-certificates',
                '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*',
                *(image.suite, str(target), *sources.reachable(found.lines, image.suite)),
            ],
            root=True,
            variables={"TMPDIR": str(folder)},
            timeout=900,
        )
        self._engine.podman(
            "import", "--quiet", "--change", f"LABEL {LABEL}", str(target), reference, timeout=600
        )

    def _extend(self, image: Image, reference: str, folder: Path) -> None:
        recipe = folder / "Containerfile"
        packages = " ".join(image.packages)
        recipe.write_text(
            f"FROM {self.reference(image.parent)}\n"
            f"LABEL {LABEL}\n"
            "RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "
            f"{packages} && apt-get clean\n"
            "ADD files.tar /\n",
            encoding="utf-8",
        )
        self._engine.podman(
            *("build", "--quiet", "--layers=false", "--network", "host", "--pull=never", "--tag", reference),
            *("--file", str(recipe), str(folder)),
            timeout=900,
        )
