"""The archive's files in order: configuration, kernel, uploads (backup_format 2.14, 2.15)."""

import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from random import Random

from lab.generator.content import Content, Literal
from lab.generator.portal import Portal
from lab.writer.tar import FILE, FOLDER

STUB = b"<?php\n// synthetic stub written for tests; not product code\n"
STUBS: dict[str, bytes] = {
    ".htaccess": b"# synthetic stub\nOptions -Indexes\nErrorDocument 404 /404.php\n",
    "404.php": STUB,
    "bitrix/components/bitrix/sample.stub/component.php": STUB,
    "bitrix/modules/main/classes/general/version.php": (
        b'<?php\ndefine("SM_VERSION", "25.1150.100");\n'
        b'define("SM_VERSION_DATE", "2026-01-16 00:00:00"); // GMT\n'
    ),
    "bitrix/modules/main/include.php": STUB,
    "bitrix/modules/main/lib/readme.txt": "только пример\n".encode(),
    "bitrix/php_interface/after_connect_d7.php": STUB,
    "bitrix/templates/bitrix24/header.php": STUB,
    "company/index.php": STUB,
    "crm/index.php": STUB,
    "index.php": STUB + b"echo 'sample portal';\n",
    "local/.gitkeep": b"",
    "local/php_interface/init.php": STUB,
    "robots.txt": b"User-agent: *\nDisallow: /\n",
    "urlrewrite.php": STUB + b"$arUrlRewrite = [];\n",
}
VERSIONED_MODULES = ("bitrix24", "crm", "im", "tasks")
EXCLUDED = tuple(
    PurePosixPath(path)
    for path in (
        *(
            "bitrix/cache",
            "bitrix/managed_cache",
            "bitrix/managed_flags",
            "bitrix/stack_cache",
            "bitrix/html_pages",
        ),
        *("bitrix/tmp", "bitrix/help", "bitrix/updates", "bitrix/cache_image", "bitrix/backup"),
        *("upload/tmp", "upload/resize_cache", "restore.php"),
    )
)
PRIVATE = {"bitrix/.settings.php", "bitrix/php_interface/dbconn.php"}
CONFIG_MARK = "bitrix/.config.php"
CLOUD_LIST = "bitrix/restore_cloud.txt"


@dataclass(frozen=True, slots=True)
class Item:
    """A file or folder of the document root; `open` gives its content in chunks."""

    path: str
    kind: bytes
    size: int
    mtime: int
    mode: int
    open: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, path: str, content: Content, mtime: int) -> "Item":
        """A file with a generated content."""
        mode = 0o600 if path in PRIVATE else 0o644
        return cls(path, FILE, content.size, mtime, mode, content.chunks)

    @classmethod
    def folder(cls, path: str, mtime: int) -> "Item":
        """A folder."""
        return cls(path, FOLDER, 0, mtime, 0o755, tuple)


def _excluded(path: PurePosixPath) -> bool:
    return any(path == taboo or taboo in path.parents for taboo in EXCLUDED)


def kernel_items(source: Path, mtime: int) -> Iterator[Item]:
    """Files of a folder or `.tar.gz` that the product's writer would take."""
    if source.is_dir():
        for file in sorted(source.rglob("*")):
            name = PurePosixPath(file.relative_to(source).as_posix())
            if file.is_file() and not _excluded(name):
                yield Item.of(str(name), Literal(file.read_bytes()), mtime)
        return
    try:
        with tarfile.open(source) as archive:
            for member in archive:
                name = PurePosixPath(member.name.removeprefix("./"))
                stream = archive.extractfile(member) if member.isfile() else None
                if stream and not _excluded(name):
                    yield Item.of(str(name), Literal(stream.read()), mtime)
    except tarfile.TarError as error:
        raise ValueError(f"{source} is neither a folder nor a tar archive") from error


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _with_folders(items: dict[str, Item], folders: Iterable[str], mtime: int) -> dict[str, Item]:
    wanted = {
        parent for path in (*items, *(f"{folder}/x" for folder in folders)) for parent in _parents(path)
    }
    return {**{path: Item.folder(path, mtime) for path in wanted}, **items}


def _shuffled(items: dict[str, Item], random: Random) -> Iterator[Item]:
    """Folders before their content, otherwise in no order, as readdir gives them (2.10)."""
    children: dict[str, list[str]] = {}
    for path in sorted(items):
        children.setdefault(path.rpartition("/")[0], []).append(path)
    stack = [""]
    while stack:
        path = stack.pop()
        if path:
            yield items[path]
        below = children.get(path, [])
        random.shuffle(below)
        stack.extend(below)


def cloud_key(portal: Portal, path: str) -> str:
    """Key of an upload in the vendor's store: the portal's prefix instead of `upload` (backup_format 6)."""
    return f"b{portal.settings.portal_number}/{path.removeprefix('upload/')}"


def tree(portal: Portal, kernel: Path | None) -> tuple[list[Item], list[Item]]:
    """Items of the archive after the dump, in order, and items that only the store has."""
    mtime = portal.end - 30 * 86_400
    items: dict[str, Item] = {}
    made = f"{portal.settings.at:%Y-%m-%d %H:%M:%S}"
    for module in VERSIONED_MODULES:
        version = f'<?php\n$arModuleVersion = array("VERSION" => "25.700.0", "VERSION_DATE" => "{made}");\n'
        path = f"bitrix/modules/{module}/install/version.php"
        items[path] = Item.of(path, Literal(version.encode()), mtime)
    for path, data in STUBS.items():
        items[path] = Item.of(path, Literal(data), mtime)
    if kernel:
        items.update((item.path, item) for item in kernel_items(kernel, mtime))
    mark = STUB + b"// legacy SaaS mark\nreturn ['saas' => true];\n"
    items[CONFIG_MARK] = Item.of(CONFIG_MARK, Literal(mark), mtime)
    secret = f"{portal.random('secret').getrandbits(256):064x}"
    for path, data in portal.configuration.files(secret).items():
        items[path] = Item.of(path, Literal(data), mtime)
    outside: list[Item] = []
    for upload in portal.uploads.files:
        if not upload.delivered:
            continue
        item = Item.of(upload.path, upload.content, upload.created)
        if portal.settings.uploads == "cdn" and upload.id:
            outside.append(item)
        else:
            items[item.path] = item
    link = Literal(b"target of a symbolic link\n")
    items["upload/link_to_file.txt"] = Item.of("upload/link_to_file.txt", link, mtime)
    if outside:
        lines = "".join(
            f"{portal.settings.at:%Y-%m-%d %H:%M:%S} {item.size:>12} {cloud_key(portal, item.path)}\n"
            for item in outside
        )
        items[CLOUD_LIST] = Item.of(CLOUD_LIST, Literal(lines.encode()), mtime)
    folders = (*portal.uploads.empty_folders, "bitrix/gadgets/custom")
    complete = _with_folders(items, folders, mtime)
    return list(_shuffled(complete, portal.random("order"))), outside
