"""The messenger: chats, messages with files, notifications whose links lack a domain."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from lab.generator.clock import DAY, stamp
from lab.generator.people import Staff
from lab.generator.plan import Plan
from lab.generator.words import NOUNS, TRICKY, Phrases
from lab.generator.work import Storage, Task, Work, notification_buttons
from lab.writer.rows import Row

NOTIFICATION_EVERY = 5
FILE_EVERY = 23
TRICKY_EVERY = 127
LINES_EVERY = 12
EMOJI = ("☕️", "🚀", "✅", "👍🏽", "🔥", "🇱🇻")
FACT_MESSAGES = 5


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat; `kind`: S notifications, C closed, O open, P of two people, L open line, X of a task."""

    id: int
    kind: str
    author: int
    members: tuple[int, ...]
    entity: tuple[str, str] | None
    title: str | None


class Talk:
    """Messenger tables of one portal. Chat ids start with the notification chats of the staff."""

    def __init__(
        self, random: Random, plan: Plan, staff: Staff, *, work: Work, storage: Storage, end: int, domain: str
    ) -> None:
        self.plan = plan
        self.staff = staff
        self.work = work
        self.storage = storage
        self.end = end
        self.domain = domain
        self.chats: list[Chat] = []
        people = [user.id for user in staff.staff]
        for user in people:
            self._chat("S", user, (user,), None, None)
        self._first_talk = len(self.chats)
        for number in range(plan.chats):
            members = tuple(sorted(random.sample(people, k=random.randint(2, min(9, len(people))))))
            title = f"{random.choice(NOUNS)} {random.choice(NOUNS)} {random.choice(EMOJI)}"
            if number % LINES_EVERY == LINES_EVERY - 1:
                self._chat("L", members[0], members, ("LINES", f"livechat|1|{number}|{members[0]}"), title)
            elif number % 4 == 0:
                self._chat("P", members[0], members[:2], None, None)
            else:
                self._chat("O" if number % 3 else "C", members[0], members, None, title)
        self._first_task_chat = len(self.chats)
        for task in work.tasks:
            if task.chat:
                pair = tuple(sorted({task.creator, task.responsible}))
                self._chat("X", task.creator, pair, ("TASKS_TASK", str(task.id)), task.title)

    def _chat(
        self,
        kind: str,
        author: int,
        members: tuple[int, ...],
        entity: tuple[str, str] | None,
        title: str | None,
    ) -> None:
        self.chats.append(Chat(len(self.chats) + 1, kind, author, members, entity, title))

    @property
    def task_chats(self) -> list[Chat]:
        """Chats that belong to a task."""
        return self.chats[self._first_task_chat :]

    @property
    def fact_chat(self) -> Chat:
        """The chat of the task that checks look at."""
        return self.task_chats[0]

    @property
    def fact_talk(self) -> Chat:
        """An ordinary chat with several people."""
        return next(chat for chat in self.chats[self._first_talk :] if chat.kind in "CO")

    def chat_rows(self) -> Iterator[Row]:
        """Rows of b_im_chat."""
        for chat in self.chats:
            kind, entity = chat.entity or (None, None)
            yield (
                chat.id,
                0,
                chat.title,
                None,
                "AQUA",
                chat.kind,
                "N",
                chat.author,
                None,
                kind,
                entity,
                None,
                10,
                len(chat.members),
                None,
                stamp(self.end - (chat.id * 7919 % (500 * DAY)) - DAY),
            )

    def relation_rows(self) -> Iterator[Row]:
        """Rows of b_im_relation."""
        number = 0
        for chat in self.chats:
            for user in chat.members:
                number += 1
                yield (number, chat.id, chat.kind, user, 0, 0, 0, 0, "Y" if user == chat.author else "N", 0)

    def task_chat_rows(self) -> Iterator[Row]:
        """Rows of b_tasks_task_chat."""
        for number, chat in enumerate(self.task_chats, 1):
            yield (number, int(chat.entity[1]) if chat.entity else 0, chat.id)

    def notified(self, number: int) -> tuple[int, Task]:
        """Who gets the notification `number`, and about which task."""
        people = self.staff.staff
        return people[number % len(people)].id, self.work.tasks[number * 31 % len(self.work.tasks)]

    def link(self, number: int) -> str:
        """The notification's link: a path without a domain."""
        user, task = self.notified(number)
        return f"/company/personal/user/{user}/tasks/task/view/{task.id}/"

    def _notification(self, number: int) -> Row:
        user, task = self.notified(number)
        link = self.link(number)
        text = (
            f"Добавлена задача [URL={link}]#{task.id}[/URL]",
            f'Новый комментарий: <a href="{link}?MID=1#com1">задача {task.id}</a>',
            f"Вы ответственный за лид [URL=https://{self.domain}/crm/lead/details/{task.id}/]#{task.id}[/URL]",
        )[number // NOTIFICATION_EVERY % 3]
        chat = 1 + number % len(self.staff.staff)
        moment = stamp(self.end - 1 - number * 9973 % (500 * DAY))
        tag = f"TASKS|TASK|{task.id}"
        buttons = notification_buttons() if number % 35 == 0 else None
        read = "Y" if number % 2 else "N"
        return (
            *(number, chat, 0, text, link, moment, None, (1, 2, 4)[number // 5 % 3], "tasks", "manage"),
            *(f"{tag}|{user}", tag, None, buttons, read, None),
        )

    def file_of(self, number: int) -> int | None:
        """Id of the Disk object that message `number` carries."""
        if number % FILE_EVERY or number % NOTIFICATION_EVERY == 0:
            return None
        return self.storage.object_of(number // FILE_EVERY % len(self.storage.files))

    def _fixed(self, number: int) -> tuple[Chat, str] | None:
        """The first messages are known ones: of the fact task's chat and of an ordinary chat."""
        position = number // 2
        if number > 4 * FACT_MESSAGES or number % NOTIFICATION_EVERY == 0 or number % 2 == 0:
            return None
        if position % 2:
            return self.fact_chat, f"Сообщение {position} в чате задачи {self.work.fact_task.id}"
        return self.fact_talk, f"Сообщение {position} в общем чате"

    def fact_messages(self, chat: Chat) -> list[str]:
        """Texts of the known messages of a chat."""
        found = (self._fixed(number) for number in range(1, 4 * FACT_MESSAGES + 1))
        return [text for fixed in found if fixed for owner, text in [fixed] if owner is chat]

    def message_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_im_message; every fifth is a notification."""
        phrases = Phrases(random)
        chats = [
            chat for chat in self.chats[self._first_talk :] if chat not in (self.fact_chat, self.fact_talk)
        ]
        for number in range(1, self.plan.messages + 1):
            if number % NOTIFICATION_EVERY == 0:
                yield self._notification(number)
                continue
            chat = chats[int(random.random() * len(chats))]
            text = phrases.text(1 + int(random.random() * 3))
            if number % TRICKY_EVERY == 0:
                text = TRICKY[number // TRICKY_EVERY % len(TRICKY)]
            fixed = self._fixed(number)
            if fixed:
                chat, text = fixed
            author = chat.members[int(random.random() * len(chat.members))]
            moment = stamp(self.end - 1 - int(random.random() * 540 * DAY))
            kind = "private" if chat.kind == "P" else "group"
            yield (
                *(number, chat.id, author, text, None, moment, None, 0, "im", kind),
                *("", "", "", None, "N", None),
            )

    def parameter_count(self) -> int:
        """Number of rows of b_im_message_param."""
        return sum(1 for number in range(1, self.plan.messages + 1) if self.file_of(number) is not None)

    def parameter_rows(self) -> Iterator[Row]:
        """Rows of b_im_message_param: files of messages."""
        found = 0
        for number in range(1, self.plan.messages + 1):
            file = self.file_of(number)
            if file is not None:
                found += 1
                yield (found, number, "FILE_ID", str(file), None)
