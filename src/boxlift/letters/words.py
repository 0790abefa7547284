"""What a letter says in each language besides its template: days, units, steps, sources of leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ru"]


@dataclass(frozen=True)
class Saying:
    """Words of one language. `unknown` takes `command`; `units` are day, hour, minute, second."""

    unknown: str
    days: tuple[str, ...]
    months: tuple[str, ...]
    units: tuple[str, str, str, str]
    sizes: tuple[str, str, str, str]
    owners: Mapping[str, str]
    kinds: Mapping[str, str]
    actions: Mapping[str, str]
    states: Mapping[str, str]
    steps: Mapping[str, str]
    """Titles of steps; another step keeps the plan's title."""
    defects: Mapping[str, str]
    """Titles of feared defects; another one keeps the register's title."""


_ENGLISH = Saying(
    unknown="[not known yet: {command}]",
    days=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    units=("d", "h", "min", "s"),
    sizes=("kB", "MB", "GB", "TB"),
    owners={"client": "client", "contractor": "contractor"},
    kinds={
        "web-form": "web form",
        "site-button": "site button",
        "open-line": "open line",
        "mailbox": "mailbox",
        "webhook": "webhook",
        "number": "number",
    },
    actions={},
    states={},
    steps={},
    defects={},
)
_RUSSIAN = Saying(
    unknown="[пока неизвестно: {command}]",
    days=("пн", "вт", "ср", "чт", "пт", "сб", "вс"),
    months=("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек"),
    units=("д", "ч", "мин", "с"),
    sizes=("кБ", "МБ", "ГБ", "ТБ"),
    owners={"client": "заказчик", "contractor": "подрядчик"},
    kinds={
        "web-form": "веб-форма",
        "site-button": "кнопка на сайт",
        "open-line": "открытая линия",
        "mailbox": "почтовый ящик",
        "webhook": "вебхук",
        "number": "номер",
    },
    actions={
        "web-form": "Заменить на сайте скрипт формы или ссылку на неё; отправить одну форму.",
        "site-button": "Заменить на сайте скрипт кнопки; отправить через неё одно обращение.",
        "open-line": "Подключить канал в коробке и отключить его в облаке; написать в него одно сообщение.",
        "mailbox": "Подключить ящик в коробке и отключить его в облаке; отправить на него одно письмо.",
        "webhook": "Сообщить новый адрес системе, которая его вызывает; создать через неё один лид.",
        "number": "Направить номер на сервер телефонии коробки; позвонить на него один раз.",
    },
    states={
        "open": "открыт",
        "found": "обнаружен",
        "cleared": "снят",
        "doubtful": "под вопросом",
        "confirmed": "подтверждён",
        "refused": "отклонён",
        "inactive": "не используется",
    },
    steps={
        "request-backup": "Заказать резервную копию и согласовать её дату с поддержкой облака",
        "inform-users": "Сообщить пользователям дату копии и где вести работу до переноса",
        "restore-backup": "Восстановить резервную копию",
        "activate-release": "Сделать восстановленный портал рабочим",
        "repair-portal": "Настроить портал после восстановления",
        "configure-telephony-server": "Настроить сервер телефонии под портал",
        "connect-telephony": "Настроить модуль телефонии портала",
        "check-telephony": "Проверить телефонию",
        "check-business": "Тщательно проверить CRM, телефонию и бизнес-процессы",
        "go-no-go": "Принять решение: переезжаем или остаёмся в облаке",
        "stop-cloud-sales": "Остановить работу менеджеров в облаке",
        "transfer-delta": "Перенести созданное в облаке после копии",
        "delete-test-data": "Удалить тестовые данные",
        "declare-healthy": "Признать портал исправным",
        "backup-production": "Сделать резервную копию и проверить её восстановлением",
        "switch-names": "Переключить домены и источники лидов",
        "open-portal": "Открыть портал",
        "send-password-letters": "Разослать письма для смены пароля",
        "start-box-sales": "Менеджеры начинают работать в коробке",
    },
    defects={
        "cloud-applications": "Облачные приложения не работают в коробке",
        "application-licences": "Лицензии приложений стоят иначе",
        "time-lag": "Данные потеряны за время между копией и переездом",
        "branches-in-cloud": "Сотрудники филиалов продолжают работать в облаке",
        "mobile-app": "Мобильное приложение не работает на закрытом портале",
        "old-passwords": "Пользователи не могут войти со старым паролем",
        "chat-bots": "Чат-боты не отвечают",
        "sessions-and-rights": "Пользователей разлогинивает или пропали права",
        "task-comments": "Видна только часть комментариев к задачам",
        "search-index": "В базе нет поискового индекса",
    },
)
SAYING: Mapping[Language, Saying] = {"en": _ENGLISH, "ru": _RUSSIAN}
