"""CRM: leads, contacts, companies, deals, activities, timeline."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from random import Random

from lab.generator.clock import DAY, HOUR, LeadTimes, stamp
from lab.generator.people import Staff
from lab.generator.plan import Plan
from lab.generator.words import COMPANY_FORMS, FIRST_NAMES, LAST_NAMES, NOUNS, TRICKY, Phrases, serialized
from lab.writer.rows import Row

LEAD, CONTACT = 1, 3
STATUSES = (("NEW", "P"), ("IN_PROCESS", "P"), ("PROCESSED", "P"), ("CONVERTED", "S"), ("JUNK", "F"))
STATUS_SHARES = (4, 16, 10, 40, 30)
STAGES = (("NEW", "P"), ("PREPARATION", "P"), ("EXECUTING", "P"), ("WON", "S"), ("LOSE", "F"))
SOURCES = ("CALL", "WEB", "EMAIL", "ADVERTISING", "OTHER")
SEARCH_WORD = "кварцитолит"
SEARCH_LEAD_SHARE = 0.6
TRICKY_EVERY = 211
MANAGERS = 37
PIPELINES = ("Опт", "Сервис 🔧")
PROCESS = 128
# One letter longer than a whole INSERT statement otherwise is, in portals large enough for it.
LARGE_LETTER_FROM = 12_000_000
LARGE_LETTER_SENTENCES = 11_000


class Crm:
    """CRM tables of one portal; `seconds` are the moments of its leads."""

    def __init__(self, plan: Plan, times: LeadTimes, staff: Staff, end: int, domain: str) -> None:
        self.plan = plan
        self.times = times
        self.moments = times.moments
        self.end = end
        self.domain = domain
        self.managers = [user.id for user in staff.of("network")][:MANAGERS]
        self.search_lead = max(1, int(len(self.moments) * SEARCH_LEAD_SHARE))
        self.search_title = f"Заявка: {SEARCH_WORD} для фасада"
        self.large_letter = plan.activities // 2 if plan.sql_bytes > LARGE_LETTER_FROM else 0
        self.sources: Counter[str] = Counter()
        self.daily: dict[str, tuple[int, Decimal | None]] = {}

    @property
    def leads(self) -> int:
        """Number of leads; ids run from 1."""
        return len(self.moments)

    def lead_of(self, index: int, count: int) -> int:
        """The lead that the `index`-th of `count` later things came from, spread evenly."""
        return min(self.leads, 1 + index * self.leads // max(1, count))

    def _after(self, lead: int, random: Random, spread: int) -> int:
        return min(self.end - 1, self.moments[lead - 1] + 60 + int(random.random() * spread))

    def lead_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_lead; collects the sums that the view shows."""
        phrases = Phrases(random)
        managers = self.managers
        statuses = random.choices(STATUSES, STATUS_SHARES, k=997)
        for number, second in enumerate(self.moments, 1):
            status, semantics = statuses[int(random.random() * 997)]
            manager = managers[int(random.random() * len(managers))]
            final = semantics != "P"
            money = None if random.random() < 0.6 else Decimal(int(random.random() ** 3 * 90_000_000)) / 100
            created = stamp(second)
            if number == self.search_lead:
                title = self.search_title
            else:
                title = ("Lead", "Звонок", "Заявка с сайта", "Письмо")[number % 4] + f" #{number}"
            comment = None
            if number % TRICKY_EVERY == 0:
                comment = TRICKY[number // TRICKY_EVERY % len(TRICKY)]
            elif random.random() < 0.3:
                comment = phrases.line()
            named = random.random() < 0.4
            day = created[:10]
            seen, total = self.daily.get(day, (0, None))
            if money is not None:
                total = money if total is None else total + money
            self.daily[day] = (seen + 1, total)
            source = SOURCES[int(random.random() * 5)]
            self.sources[source] += 1
            yield (
                number,
                created,
                stamp(min(self.end - 1, second + int(random.random() * 3 * DAY))),
                manager,
                manager,
                manager,
                "Y",
                None if random.random() < 0.8 else 1 + int(random.random() * self.plan.contacts),
                status,
                semantics,
                None if money is None else f"{money:.2f}",
                "RUB",
                source,
                title,
                f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}" if named else None,
                comment,
                "Y" if number % 2 else "N",
                stamp(min(self.end - 1, second + DAY)) if final else None,
            )

    def daily_rows(self) -> Iterator[Row]:
        """What v_sample_lead_daily shows after the import; call when all leads are written."""
        for day in sorted(self.daily):
            count, total = self.daily[day]
            yield (day, count, None if total is None else f"{total:.2f}")

    def source_rows(self) -> Iterator[Row]:
        """What v_sample_lead_source shows after the import; call when all leads are written."""
        yield from sorted(self.sources.items())

    def lead_field_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_uts_crm_lead: every fourth lead has own fields."""
        for number in range(1, self.leads + 1, 4):
            parts = serialized([random.choice(NOUNS), random.choice(NOUNS)]) if number % 3 else None
            yield (
                number,
                f"utm_{random.randrange(60)}",
                None if number % 8 == 1 else random.randrange(10_000_000),
                stamp(self.moments[number - 1]),
                number % 7,
                parts,
            )

    def contact_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_contact."""
        for number in range(1, self.plan.contacts + 1):
            lead = self.lead_of(number - 1, self.plan.contacts)
            created = stamp(self._after(lead, random, 5 * HOUR))
            name, last_name = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
            yield (
                number,
                created,
                created,
                random.choice(self.managers),
                random.choice(self.managers),
                None if number % 3 else random.randrange(1, self.plan.companies + 1),
                lead,
                f"{name} {last_name}",
                name,
                last_name,
                None,
                None,
                None,
                None if number % 97 else TRICKY[number // 97 % len(TRICKY)],
                "Y",
                "N",
            )

    def company_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_company."""
        for number in range(1, self.plan.companies + 1):
            lead = self.lead_of(number - 1, self.plan.companies)
            created = stamp(self._after(lead, random, DAY))
            yield (
                number,
                created,
                created,
                1,
                random.choice(self.managers),
                f"{random.choice(COMPANY_FORMS)} «{random.choice(NOUNS).capitalize()}-{number}»",
                None,
                lead,
                "CUSTOMER",
                "OTHER",
                f"{random.randrange(10**11) / 100:.2f}",
                "RUB",
                "EMPLOYEES_1",
                "",
            )

    def deal_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_deal."""
        for number in range(1, self.plan.deals + 1):
            lead = self.lead_of(number - 1, self.plan.deals)
            second = self._after(lead, random, 2 * DAY)
            category = number % 7 if number % 7 <= len(PIPELINES) else 0
            stage, semantics = random.choice(STAGES[::3] if category else STAGES)
            yield (
                number,
                stamp(second),
                stamp(min(self.end - 1, second + random.randrange(9 * DAY))),
                1,
                random.choice(self.managers),
                "Y",
                lead,
                None if number % 4 else random.randrange(1, self.plan.companies + 1),
                random.randrange(1, self.plan.contacts + 1),
                f"Сделка {number}: {random.choice(NOUNS)}",
                f"C{category}:{stage}" if category else stage,
                semantics,
                "N" if semantics == "P" else "Y",
                category,
                f"{random.randrange(50_000_000) / 100:.2f}",
                "RUB",
                "1.0000",
                None,
                None if number % 53 else TRICKY[number // 53 % len(TRICKY)],
                stamp(second),
                stamp(second + 30 * DAY),
            )

    def category_rows(self) -> Iterator[Row]:
        """Rows of b_crm_deal_category: pipelines besides the general one."""
        for number, name in enumerate(PIPELINES, 1):
            yield (number, stamp(self.end - 500 * DAY)[:10], name, "N", number * 100, None)

    def process_rows(self) -> Iterator[Row]:
        """Rows of b_crm_dynamic_type: one smart process."""
        made = stamp(self.end - 300 * DAY)
        yield (1, PROCESS, None, "Process128", "Монтажи", f"b_crm_dynamic_items_{PROCESS}", 1, made)

    def process_category_rows(self) -> Iterator[Row]:
        """Rows of b_crm_item_category."""
        yield (1, PROCESS, "Y", "Y", None, stamp(self.end - 300 * DAY), "Общая", 500)

    def process_item_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_dynamic_items_128."""
        for number in range(1, max(10, self.plan.deals // 20) + 1):
            created = stamp(self.end - random.randrange(300 * DAY) - 1)
            author = random.choice(self.managers)
            money = f"{random.randrange(10**8) / 100:.2f}"
            yield (number, None, f"Монтаж {number}", author, created, 1, f"DT{PROCESS}_1:NEW", money)

    def multi_field_count(self) -> int:
        """Number of rows of b_crm_field_multi."""
        spans = ((self.leads, 2), (self.plan.contacts, 1))
        return sum(1 + (n % 10 == 1) for count, every in spans for n in range(1, count + 1, every))

    def multi_field_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_field_multi: phones and addresses of leads and contacts."""
        number = 0
        for entity, count, every in (("LEAD", self.leads, 2), ("CONTACT", self.plan.contacts, 1)):
            for element in range(1, count + 1, every):
                number += 1
                phone = f"+7000{random.randrange(10_000_000):07}"
                yield (number, entity, element, "PHONE", "WORK", "PHONE_WORK", phone)
                if element % 10 == 1:
                    number += 1
                    mail = f"c{element}@example.test"
                    yield (number, entity, element, "EMAIL", "WORK", "EMAIL_WORK", mail)

    def activity_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_act: calls, and letters with their text."""
        phrases = Phrases(random)
        count = self.plan.activities
        for number in range(1, count + 1):
            lead = self.lead_of(number - 1, count)
            second = self._after(lead, random, 6 * HOUR)
            letter = number % 5 != 0
            created = stamp(second)
            text = ""
            if number % TRICKY_EVERY == 0:
                text = TRICKY[number // TRICKY_EVERY % len(TRICKY)]
            elif number == self.large_letter:
                text = phrases.text(LARGE_LETTER_SENTENCES)
            elif letter:
                text = phrases.text(2 + int(random.random() ** 2 * 28))
                if number % 17 == 0:
                    text += f"\nhttps://{self.domain}/crm/lead/details/{lead}/"
            yield (
                number,
                4 if letter else 2,
                "CRM_EMAIL" if letter else "VOXIMPLANT_CALL",
                "EMAIL" if letter else "CALL",
                1 + number % 2,
                lead,
                LEAD,
                f"{'Письмо' if letter else 'Звонок'} {number}",
                text,
                "Y" if number % 3 else "N",
                random.choice(self.managers),
                2,
                created,
                created,
                created,
                stamp(second + 900),
                stamp(second + DAY),
                None if letter else f"VI_{random.getrandbits(48):012x}",
                serialized({"EMAIL_META": {"from": f"c{lead}@example.test", "subject": f"Письмо {number}"}})
                if letter
                else None,
                "0.00",
            )

    def activity_bind_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_act_bind."""
        number = 0
        count = self.plan.activities
        for activity in range(1, count + 1):
            number += 1
            yield (number, activity, self.lead_of(activity - 1, count), LEAD)
            if activity % 4 == 0:
                number += 1
                yield (number, activity, random.randrange(1, self.plan.contacts + 1), CONTACT)

    def timeline_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_timeline."""
        phrases = Phrases(random)
        count = self.plan.timeline
        for number in range(1, count + 1):
            lead = self.lead_of(number - 1, count)
            comment = None
            if number % 3 == 0:
                comment = phrases.text(1 + number % 4)
            if number % TRICKY_EVERY == 0:
                comment = TRICKY[number // TRICKY_EVERY % len(TRICKY)]
            yield (
                number,
                7 if comment else 1,
                None if number % 2 else 1,
                stamp(self._after(lead, random, DAY)),
                random.choice(self.managers),
                lead,
                LEAD,
                "\\Bitrix\\Crm\\Lead" if number % 2 else None,
                comment,
                None
                if number % 4
                else serialized({"TITLE": f"Лид {lead}", "URL": f"/crm/lead/details/{lead}/"}),
                None,
            )

    def timeline_bind_rows(self) -> Iterator[Row]:
        """Rows of b_crm_timeline_bind, in the order of its key (OWNER_ID, ENTITY_ID, ENTITY_TYPE_ID)."""
        count = self.plan.timeline
        for number in range(1, count + 1):
            lead = self.lead_of(number - 1, count)
            pairs = [(lead, LEAD)]
            if number % 2:
                pairs.append((1 + number % self.plan.contacts, CONTACT))
            for entity, kind in sorted(pairs):
                yield (number, kind, entity, "Y" if number % 50 == 0 else "N")

    def call_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_voximplant_statistic."""
        count = self.plan.calls
        for number in range(1, count + 1):
            lead = self.lead_of(number - 1, count)
            duration = random.randrange(600)
            yield (
                number,
                77,
                1,
                random.choice(self.managers),
                f"reg{1 + number % 3}",
                f"+7000{random.randrange(10_000_000):07}",
                str(1 + number % 2),
                f"call.{random.getrandbits(60):015x}",
                "external",
                f"https://calls.cloud.internal.example/log/{random.getrandbits(40):010x}.txt",
                duration,
                stamp(self._after(lead, random, HOUR)),
                0,
                None,
                f"{random.randrange(300_000) / 10_000:.4f}",
                "RUR",
                random.choice(("200", "304", "486", "603")),
                "LEAD",
                lead,
                None,
            )
