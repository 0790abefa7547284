"""Files under upload/: photographs, documents, recordings, letters, and names and sizes at the edges."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from lab.generator.clock import DAY, stamp
from lab.generator.content import MAGIC, Content, Literal, Noise, Repeated, md5
from lab.generator.words import NOUNS, Phrases
from lab.writer.rows import Row
from lab.writer.tar import FILE, Entry, headers

MODULES = (
    "disk",
    "disk",
    "disk",
    "im",
    "im",
    "tasks",
    "crm",
    "mail",
    "voximplant",
    "iblock",
    "uf",
    "main",
    "landing",
)
TYPES = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "txt": "text/plain",
    "eml": "message/rfc822",
    "zip": "application/zip",
    "dat": "application/octet-stream",
}
# (share of files, smallest, largest size in bytes)
SIZES = (
    (0.75, 900, 60_000),
    (0.20, 60_000, 700_000),
    (0.045, 1_000_000, 5_000_000),
    (0.005, 8_000_000, 30_000_000),
)
SMALL, MIDDLE, LARGE = 60_000, 700_000, 5_000_000
LONG_PATHS = (99, 100, 101, 155, 256, 257, 300, 480, 511)
EDGE_SIZES = (0, 1, 511, 512, 513, 1023, 1024, 1025)
NOT_DELIVERED = 24
WITHOUT_FILE = 4
DELIVERED_HANDLERS = 21
BUCKET = "1"
LONGEST_NAME = 255
LONGEST_COLUMN = 255


@dataclass(frozen=True, slots=True)
class Upload:
    """A file under upload/ with its row in b_file (`id` 0: no row)."""

    id: int
    module: str
    subdir: str
    name: str
    original: str
    content: Content
    created: int
    handler: str | None = None
    delivered: bool = True

    @property
    def path(self) -> str:
        """Path below the document root."""
        return f"upload/{self.subdir}/{self.name}" if self.subdir else f"upload/{self.name}"

    @property
    def type(self) -> str:
        """Media type by the ending of the name."""
        return TYPES.get(self.name.rsplit(".", 1)[-1].lower(), "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Uploads:
    """All files, and folders that hold nothing; `rows` are those with a row in b_file, by id."""

    files: list[Upload]
    empty_folders: tuple[str, ...]

    @property
    def rows(self) -> list[Upload]:
        """Files known to b_file."""
        return [upload for upload in self.files if upload.id]


def _long_path(length: int) -> tuple[str, str]:
    """A folder and a name that make `upload/<folder>/<name>` exactly `length` bytes."""
    folder = f"medialibrary/L{length}"
    while length - len(f"upload/{folder}/") > LONGEST_NAME - 60:
        folder += "/" + "d" * 60
    return folder, "n" * (length - len(f"upload/{folder}/") - 4) + ".txt"


def _edges(random: Random, phrases: Phrases) -> Iterator[tuple[str, str, Content]]:
    """(folder, name, content) of the files that readers trip over."""
    for name in (
        "Договор № 12 (финал) — копия.docx",
        "Фото с телефона 📱.jpg",
        "it's 100% done & #1 + ok;.txt",
        "%20literal%2Fpct.txt",
        "-rf leading dash.txt",
        "trailing dot.",
        "photo.jpg",
        "Photo.JPG",
        "two  spaces.pdf",
        "question?mark=1.txt",
    ):
        yield "disk/0ff", name, Noise(f"edge {name}", random.randrange(200, 20_000))
    for size in EDGE_SIZES:
        yield "crm/edge", f"b{size:04}.dat", Noise(f"edge {size}", size)
    yield "crm/edge", "zeros_4096.dat", Literal(bytes(4096))
    yield "crm/edge", "spaces_1024.dat", Literal(b" " * 1024)
    lure = headers(Entry(b"upload/never_there.txt", FILE, 512, 0o644, 1_700_000_000))
    body = b"not a file".ljust(512) + b"and no further entry".ljust(700)
    yield "crm/edge", "like_tar_header.dat", Literal(lure + body)
    yield "mail/77a", "letter with big body.eml", Repeated(phrases.text(60).encode(), 410_001)
    for length in LONG_PATHS:
        folder, name = _long_path(length)
        yield folder, name, Literal(phrases.text(6).encode())
    folder = "Очень длинная кириллическая папка " * 2 + "x"
    yield f"iblock/{folder}", "Очень длинное имя файла " * 4 + ".txt", Literal(phrases.text(9).encode())


def _size(random: Random, ceiling: int) -> int:
    pick = random.random()
    for share, smallest, largest in SIZES:
        if pick < share:
            return min(ceiling, random.randrange(smallest, largest))
        pick -= share
    return min(ceiling, SIZES[0][2])


def _ending(random: Random, size: int, module: str) -> str:
    if module == "voximplant":
        return "mp3"
    if module == "mail" and size < MIDDLE:
        return "eml" if random.random() < 0.5 else "pdf"
    if size < SMALL:
        return random.choice(("jpg", "png", "txt", "docx", "xlsx", "pdf", "jpg", "jpg"))
    return random.choice(
        ("mp4", "zip", "mp4") if size > LARGE else ("jpg", "pdf", "docx", "xlsx", "png", "zip")
    )


def make_uploads(random: Random, phrases: Phrases, total: int, seed: int, end: int) -> Uploads:
    """Files of together `total` bytes."""
    files: list[Upload] = []
    left = total
    known = 0

    def add(subdir: str, name: str, original: str, content: Content, *, module: str = "") -> None:
        nonlocal left, known
        fits = len(subdir) <= LONGEST_COLUMN
        known += fits
        number = known if fits else 0
        delivered_handler = number > 40 and number % 7 == 0 and number < 40 + 7 * DELIVERED_HANDLERS
        files.append(
            Upload(
                id=number,
                module=module or subdir.split("/", 1)[0],
                subdir=subdir,
                name=name,
                original=original,
                content=content,
                created=end - random.randrange(540) * DAY - random.randrange(DAY),
                handler=BUCKET if delivered_handler else None,
            )
        )
        left -= content.size

    for folder, name, content in _edges(random, phrases):
        add(folder, name, name, content)
    ceiling = max(50_000, total // 8)
    letter = phrases.text(40).encode()
    while left > 0:
        module = random.choice(MODULES)
        size = min(left, _size(random, ceiling))
        ending = _ending(random, size, module)
        folder = f"{module}/{random.getrandbits(12):03x}"
        if random.random() < 0.5:
            folder += f"/{random.getrandbits(128):032x}"
        words = f"{random.choice(NOUNS)} {random.choice(NOUNS)} {len(files) + 1}.{ending}"
        readable = random.random() < 0.25
        name = words if readable else f"{random.getrandbits(128):032x}.{ending}"
        if ending in ("txt", "eml"):
            add(folder, name, words, Repeated(letter, size), module=module)
        else:
            add(
                folder,
                name,
                words,
                Noise(f"{seed} {len(files)}", size, MAGIC.get(ending, b"")),
                module=module,
            )
    for number in range(NOT_DELIVERED + WITHOUT_FILE):
        folder, name = f"disk/f{number:02x}", f"{random.getrandbits(128):032x}.pdf"
        lost = Noise(f"{seed} lost {number}", 1000 + random.randrange(9000))
        handler = BUCKET if number < NOT_DELIVERED else None
        files.append(
            Upload(
                known + number + 1,
                "disk",
                folder,
                name,
                name,
                lost,
                end - number * DAY,
                handler,
                delivered=False,
            )
        )
    files.append(Upload(0, "", "", ".htaccess", "", Literal(b"Options -Indexes\n"), end))
    orphan = Literal("нет строки в b_file\n".encode())
    files.append(Upload(0, "", "orphan", "Без строки в базе.txt", "", orphan, end))
    return Uploads(files, ("upload/empty_dir", "upload/пустая папка", "upload/landing/659/empty"))


def file_rows(random: Random, uploads: Uploads) -> Iterator[Row]:
    """Rows of b_file."""
    for upload in uploads.rows:
        yield (
            upload.id,
            stamp(upload.created),
            upload.module,
            0,
            0,
            upload.content.size,
            upload.type,
            upload.subdir,
            upload.name,
            upload.original,
            None if upload.id % 3 else "",
            upload.handler if upload.handler or upload.id % 5 else "",
            f"{random.getrandbits(128):032x}",
        )


def hash_rows(uploads: Uploads) -> Iterator[Row]:
    """Rows of b_file_hash: of the files that exist."""
    for upload in uploads.rows:
        if upload.delivered:
            yield (upload.id, upload.content.size, md5(upload.content))
