"""Made-up texts: words, names, sentences, and strings that careless readers of a dump trip over."""

from random import Random

NOUNS = (
    "заявка договор смета замер склад отгрузка накладная счёт партия скидка доставка монтаж ремонт "
    "гарантия каталог образец звонок письмо встреча клиент менеджер проект этап срок акт отчёт объём "
    "съёмка ёлка подъезд фасад витрина стеллаж кабель профиль краска плитка окно дверь лестница "
    "насос котёл трубы кровля паркет"
).split()
VERBS = (
    "согласовать отправить проверить подготовить уточнить заказать принять закрыть перенести оплатить".split()
)
FIRST_NAMES = (
    "Анфиса Бажена Варлам Глафира Демьян Евсей Захарий Иллария Климент Лукерья Мирон Несмеяна Остап Пелагея "
    "Савва Таисия Устинья Фадей Харитон Ясна"
).split()
LAST_NAMES = (
    "Образцов Примеров Макетов Эталонов Тестов Черновик Заглушко Пробирко Шаблонов Синтетов Моделин Учебнов "
    "Демонстров Прототипов Стендов"
).split()
POSITIONS = (
    "менеджер по продажам",
    "инженер",
    "бухгалтер",
    "руководитель отдела",
    "логист",
    "дизайнер",
    "юрист",
)
COMPANY_FORMS = ("ООО", "АО", "ИП", "ТОО")

TRICKY = (
    "a'),('b'),(NULL,0x00),\n(1, 'x');\n",
    "строка1;\nстрока2;\n-- Finished: 2020-01-01 00:00:00\nконец",
    "INSERT INTO `b_x` VALUES\n(1,'a'),(2,'b');\nDROP TABLE `b_user`;\n",
    "нуль\0байт и \x1a ctrl-z",
    'O\'Brien "quoted" \\ backslash \\n not-a-newline \\\\ two',
    "tab\tCR\rLF\nCRLF\r\nend",
    "эмодзи 🚀🔥👩‍💻🇱🇻 и ☕️",
    "100% _like_ \\% \\_ `backtick`",
    "/*!40000 комментарий */ -- не комментарий # тоже\n;\n;;\n",
    "конец на точку с запятой;",
    "\ufeffBOM, nbsp\u00a0, zwsp\u200b, ½ — «ёлочки» „лапки“",
    "日本語テキスト と العربية و עברית",
    "   пробелы по краям   ",
    '{=Document:ID}; #SERVER_NAME#; $DBLogin = "******";',
)


class Phrases:
    """A pool of sentences drawn from one generator, so that long texts cost little to make."""

    def __init__(self, random: Random, size: int = 3000) -> None:
        self._random = random
        self._sentences = [self._sentence() for _ in range(size)]

    def _sentence(self) -> str:
        words = [self._random.choice(VERBS), *self._random.choices(NOUNS, k=self._random.randint(3, 11))]
        return f"{words[0].capitalize()} {' '.join(words[1:])} {self._random.randrange(10_000)}."

    def line(self) -> str:
        """One sentence, about 90 bytes."""
        return self._sentences[int(self._random.random() * len(self._sentences))]

    def text(self, sentences: int) -> str:
        """Several sentences, every few on a line of their own."""
        chosen = self._random.choices(self._sentences, k=sentences)
        return "\n".join(" ".join(chosen[i : i + 4]) for i in range(0, sentences, 4))


def serialized(value: object) -> str:
    """PHP's serialize(): lengths of strings are in bytes."""
    if value is None:
        return "N;"
    if isinstance(value, bool):
        return f"b:{int(value)};"
    if isinstance(value, int):
        return f"i:{value};"
    if isinstance(value, str):
        return f's:{len(value.encode())}:"{value}";'
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else None
    )
    if items is None:
        raise TypeError(f"no serialized form for {type(value).__name__}")
    pairs = [serialized(key) + serialized(item) for key, item in items]
    return f"a:{len(pairs)}:{{{''.join(pairs)}}}"
