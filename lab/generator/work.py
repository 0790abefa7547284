"""Tasks with comments and chats, work groups, storage of files."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from lab.generator.clock import DAY, HOUR, stamp
from lab.generator.people import Staff, User
from lab.generator.plan import Plan
from lab.generator.uploads import Uploads
from lab.generator.words import NOUNS, TRICKY, VERBS, Phrases, serialized
from lab.writer.rows import Row

FORUM = 8
GROUPS = 14
COMMENTED_EVERY = 3
CHAT_EVERY = 10
FACT_TASK_COMMENTS = 7
TRICKY_EVERY = 83


@dataclass(frozen=True, slots=True)
class Task:
    """What other tables need of a task; `topic` is None when it has no comments."""

    id: int
    title: str
    creator: int
    responsible: int
    created: int
    topic: int | None
    comments: int
    chat: bool


class Work:
    """Tasks of one portal; task 77 has comments and a chat whatever the size is."""

    FACT_TASK = 6

    def __init__(self, random: Random, plan: Plan, staff: Staff, end: int, domain: str) -> None:
        self.staff = staff
        self.end = end
        self.domain = domain
        self.tasks: list[Task] = []
        topics = 0
        people = [user.id for user in staff.staff]
        for number in range(1, plan.tasks + 1):
            commented = number % COMMENTED_EVERY == 0
            topics += commented
            comments = FACT_TASK_COMMENTS if number == self.FACT_TASK else 2 + int(random.random() * 5)
            self.tasks.append(
                Task(
                    id=number,
                    title=f"{random.choice(VERBS).capitalize()} {random.choice(NOUNS)} {number}",
                    creator=random.choice(people),
                    responsible=random.choice(people),
                    created=end - int(random.random() * 540 * DAY) - 2 * DAY,
                    topic=topics if commented else None,
                    comments=comments if commented else 0,
                    chat=number % CHAT_EVERY == self.FACT_TASK,
                )
            )

    @property
    def fact_task(self) -> Task:
        """The task that checks look at."""
        return self.tasks[self.FACT_TASK - 1]

    def task_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_tasks."""
        phrases = Phrases(random)
        for task in self.tasks:
            link = f"https://{self.domain}/crm/deal/details/{task.id}/"
            text = f"[B]{phrases.line()}[/B]\n[URL={link}]сделка[/URL]\n{phrases.text(1 + task.id % 6)}"
            if task.id % TRICKY_EVERY == 0:
                text = TRICKY[task.id // TRICKY_EVERY % len(TRICKY)]
            closed = task.id % 4 == 1
            yield (
                task.id,
                task.title,
                text,
                "Y",
                str(task.id % 3),
                "5" if closed else "2",
                task.responsible,
                task.creator,
                stamp(task.created),
                stamp(task.created + HOUR),
                stamp(task.created + 7 * DAY) if task.id % 2 else None,
                stamp(task.created + DAY) if closed else None,
                f"{random.getrandbits(128):032x}",
                1 + task.id % GROUPS if task.id % 5 == 0 else None,
                None,
                task.topic,
                "s1",
                3600,
                "N",
            )

    def member_rows(self) -> Iterator[Row]:
        """Rows of b_tasks_member, by its key."""
        people = [user.id for user in self.staff.staff]
        for task in self.tasks:
            watcher = people[task.id % len(people)]
            members = {(task.creator, "O"), (task.responsible, "R"), (watcher, "U")}
            for user, role in sorted(members):
                yield (task.id, user, role)

    def topic_rows(self) -> Iterator[Row]:
        """Rows of b_forum_topic."""
        for task in self.tasks:
            if task.topic:
                creator = self.staff.users[task.creator - 1].full_name
                yield (
                    task.topic,
                    FORUM,
                    f"TASK_{task.id}",
                    None,
                    None,
                    "Y",
                    task.creator,
                    creator,
                    stamp(task.created),
                    task.comments,
                    task.id % 90,
                    creator,
                    stamp(task.created + task.comments * HOUR),
                    f"TASK_{task.id}",
                )

    def comment_text(self, task: Task, position: int) -> str | None:
        """Text of the fact task's comments, so that a check can look for them."""
        return f"Комментарий {position} к задаче {task.id}" if task is self.fact_task else None

    def comment_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_forum_message: the first one opens the topic."""
        phrases = Phrases(random)
        people = self.staff.staff
        number = 0
        for task in self.tasks:
            for position in range(task.comments + 1 if task.topic else 0):
                number += 1
                author = people[int(random.random() * len(people))]
                text = self.comment_text(task, position) or phrases.text(1 + number % 3)
                if position and number % TRICKY_EVERY == 0 and task is not self.fact_task:
                    text = TRICKY[number // TRICKY_EVERY % len(TRICKY)]
                yield (
                    number,
                    FORUM,
                    task.topic,
                    "Y",
                    "N" if position else "Y",
                    "Y",
                    stamp(task.created + position * HOUR),
                    text if position else f"TASK_{task.id}",
                    author.id,
                    author.full_name,
                    "192.0.2.7",
                    None if position else f"TASK_{task.id}",
                    None if position else 1,
                )

    def forum_rows(self) -> Iterator[Row]:
        """Rows of b_forum."""
        topics = sum(1 for task in self.tasks if task.topic)
        posts = sum(task.comments for task in self.tasks)
        yield (FORUM, None, "Задачи", None, 150, "Y", "N", topics, posts, "TASKS")

    def group_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_sonet_group."""
        for number in range(1, GROUPS + 1):
            created = stamp(self.end - random.randrange(500) * DAY)
            words = f"{random.choice(NOUNS)} {random.choice(NOUNS)}"
            yield (
                number,
                "s1",
                f"Проект «{words}»",
                TRICKY[number % len(TRICKY)],
                created,
                created,
                "Y",
                "Y",
                "N",
                1,
                self.staff.staff[number % len(self.staff.staff)].id,
                words,
                None,
                6,
                created,
                "N",
                "Y" if number % 2 else "N",
            )

    def group_member_rows(self) -> Iterator[Row]:
        """Rows of b_sonet_user2group."""
        number = 0
        people = self.staff.staff
        for group in range(1, GROUPS + 1):
            for offset in range(6):
                number += 1
                user = people[(group * 5 + offset) % len(people)].id
                created = stamp(self.end - group * 20 * DAY)
                yield (number, user, group, "U" if offset else "A", "N", created, created, "U", user)


class Storage:
    """Disk: one storage a user, and in them the files of the modules disk and im."""

    def __init__(self, staff: Staff, uploads: Uploads) -> None:
        self.owners: list[User] = staff.staff
        self.files = [upload for upload in uploads.rows if upload.module in ("disk", "im")]

    def storage_rows(self) -> Iterator[Row]:
        """Rows of b_disk_storage."""
        for number, user in enumerate(self.owners, 1):
            kind = "Bitrix\\Disk\\ProxyType\\User"
            yield (number, user.full_name, None, None, "disk", kind, str(user.id), None, number, 1, None)

    def object_of(self, position: int) -> int:
        """Id in b_disk_object of the file at a position of `files`."""
        return len(self.owners) + 1 + position

    def object_rows(self, random: Random, end: int) -> Iterator[Row]:
        """Rows of b_disk_object: the storages' roots, then files."""
        count = len(self.owners)
        for number, user in enumerate(self.owners, 1):
            created = stamp(end - random.randrange(500) * DAY)
            root = (None, created, None, None, user.id, None, None, None, None, 0, None, None)
            yield (number, f"Корень {number}", 2, None, None, number, number, 0, *root)
        for position, upload in enumerate(self.files):
            number = self.object_of(position)
            storage = 1 + position % count
            yield (
                number,
                upload.original,
                3,
                None,
                None,
                storage,
                number,
                storage,
                None,
                stamp(upload.created),
                None,
                None,
                self.owners[storage - 1].id,
                upload.id,
                upload.content.size,
                1 + position % 3,
                f"{random.getrandbits(128):032x}",
                0,
                1,
                " ".join(random.choices(NOUNS, k=4)),
            )

    def attached_rows(self, tasks: list[Task], end: int) -> Iterator[Row]:
        """Rows of b_disk_attached_object: files of tasks."""
        for number, task in enumerate(tasks[::20], 1):
            position = number % len(self.files)
            kind = "Bitrix\\Tasks\\Integration\\Disk\\Connector\\Task"
            yield (
                number,
                self.object_of(position),
                None,
                1,
                0,
                "tasks",
                kind,
                task.id,
                stamp(end - DAY),
                task.creator,
            )


def notification_buttons() -> str:
    """Buttons under a notification, serialized with byte lengths."""
    return serialized({0: {"TITLE": "Да", "VALUE": "Y", "TYPE": "accept"}})
