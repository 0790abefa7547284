"""What the cloud portal talked to: everything that would act on its own after a restore (portal_runtime I).

Every target is a sink of the lab: `hooks.vendor.example` for HTTP and SIP, `mail.acme.example` for mail;
every address is at the portal's own example domain or at example.test.
"""

from collections.abc import Callable, Iterator
from random import Random

from lab.generator.clock import DAY, HOUR, stamp
from lab.generator.people import Staff
from lab.generator.words import TRICKY, serialized
from lab.writer.rows import Row

HOOKS = "http://hooks.vendor.example"
HOOKS_HOST = "hooks.vendor.example"
APPS = 6
CONTACTS = 12
EVENTS = ("ONCRMLEADADD", "ONTASKADD", "ONAPPUNINSTALL")
CONNECTORS = ("livechat", "telegrambot", "whatsapp", "vkgroup")


class Leftovers:
    """Rows that make a restored portal dangerous before it is made quiet."""

    def __init__(self, domain: str, mail_domain: str, staff: Staff, end: int, portal_number: int) -> None:
        self.domain = domain
        self.mail_domain = mail_domain
        self.mail_host = f"mail.{mail_domain}"
        self.staff = staff
        self.end = end
        self.number = portal_number
        self.tables: dict[str, Callable[[Random], Iterator[Row]]] = {
            "b_biconnector_key": self._biconnector_key,
            "b_bitrixcloud_option": self._bitrixcloud_option,
            "b_calendar_event_connection": self._calendar_event_connection,
            "b_calendar_push": self._calendar_push,
            "b_calendar_section_connection": self._calendar_section_connection,
            "b_clouds_delete_queue": self._clouds_delete_queue,
            "b_clouds_file_bucket": self._clouds_file_bucket,
            "b_clouds_file_upload": self._clouds_file_upload,
            "b_crm_button": self._site_button,
            "b_crm_webform": self._web_form,
            "b_dav_connections": self._dav_connections,
            "b_im_bot": self._im_bot,
            "b_im_bot_token": self._im_bot_token,
            "b_imconnectors_custom_connectors": self._custom_connectors,
            "b_imconnectors_status": self._connectors_status,
            "b_imopenlines_config": self._openlines_config,
            "b_imopenlines_queue": self._openlines_queue,
            "b_landing_domain": self._landing_domain,
            "b_landing_site": self._landing_site,
            "b_ldap_server": self._ldap_server,
            "b_mail_mailbox": self._mailbox,
            "b_mail_message_upload_queue": self._mail_upload_queue,
            "b_mail_oauth": self._mail_oauth,
            "b_main_mail_sender": self._mail_sender,
            "b_messageservice_channel": self._sms_channel,
            "b_messageservice_message": self._sms_message,
            "b_pull_channel": self._pull_channel,
            "b_pull_push": self._pull_push,
            "b_pull_push_queue": self._pull_push_queue,
            "b_pull_stack": self._pull_stack,
            "b_pull_watch": self._pull_watch,
            "b_rest_ap": self._rest_password,
            "b_rest_ap_permission": self._rest_password_rights,
            "b_rest_app": self._rest_app,
            "b_rest_event": self._rest_event,
            "b_rest_event_offline": self._rest_event_offline,
            "b_rest_integration": self._rest_integration,
            "b_rest_placement": self._rest_placement,
            "b_sale_cashbox": self._cashbox,
            "b_sale_pay_system_action": self._pay_system,
            "b_sender_contact": self._contact,
            "b_sender_mailing": self._mailing,
            "b_sender_mailing_chain": self._mailing_chain,
            "b_sender_posting": self._posting,
            "b_sender_posting_recipient": self._recipient,
            "b_transformer_command": self._transformer_command,
            "b_user_hit_auth": self._hit_auth,
            "b_user_session": self._user_session,
            "b_user_stored_auth": self._stored_auth,
            "b_voximplant_config": self._line_config,
            "b_voximplant_external_line": self._external_line,
            "b_voximplant_number": self._rented_number,
            "b_voximplant_sip": self._sip,
        }

    def _day(self, days: int) -> str:
        return stamp(self.end - days * DAY - 3 * HOUR)

    def _people(self, count: int) -> list[int]:
        return [user.id for user in self.staff.staff[:count]]

    @staticmethod
    def _token(random: Random, digits: int = 32) -> str:
        return f"{random.getrandbits(digits * 4):0{digits}x}"

    def _biconnector_key(self, random: Random) -> Iterator[Row]:
        yield (1, self._day(90), self._day(90), 1, self._token(random), "pbi", "Y", None)

    def _bitrixcloud_option(self, random: Random) -> Iterator[Row]:
        yield (1, "cdn_config_active", 0, "0", "0")
        yield (2, "monitoring_devices", 0, "0", self.domain)
        yield (3, "backup_quota", 0, "0", str(random.randrange(10**9)))

    def _calendar_event_connection(self, random: Random) -> Iterator[Row]:
        for number in range(1, 21):
            event = f"evt-{self._token(random, 16)}"
            yield (
                number,
                number,
                1 + number % 3,
                event,
                "success",
                f'"{number}"',
                serialized({"etag": event}),
            )

    def _calendar_push(self, random: Random) -> Iterator[Row]:
        for number in range(1, 4):
            expires = stamp(self.end + 5 * DAY)
            channel = (self._token(random), f"google.{number}", expires)
            yield ("SECTION_CONNECTION", number, *channel, "N", self._day(number))

    def _calendar_section_connection(self, random: Random) -> Iterator[Row]:
        for number in range(1, 4):
            section = f"cal-{self._token(random, 12)}"
            yield (number, number, number, section, "sync-token", None, "Y", self._day(0), "success")

    def _clouds_delete_queue(self, random: Random) -> Iterator[Row]:
        for number in range(1, 5):
            yield (number, self._day(number), 1, f"/disk/{self._token(random, 3)}/{self._token(random)}.jpg")

    def _clouds_file_bucket(self, _random: Random) -> Iterator[Row]:
        keys = {"HOST": HOOKS_HOST, "ACCESS_KEY": "AKSYNTH", "SECRET_KEY": "not-a-secret"}
        rules = serialized([{"MODULE": "", "EXTENSION": "", "SIZE": ""}])
        bucket = ("amazon_s3", f"cloud-b{self.number}", "eu-example-1", f"cdn.{self.domain}", 0, 0, 0)
        yield (1, "Y", 10, "N", *bucket, f"b{self.number}", serialized(keys), rules, "N")
        cold = ("generic_s3", f"cold-b{self.number}", "", "", 300, 1_500_000_000, 300, "")
        yield (2, "Y", 20, "Y", *cold, "a:0:{}", "a:0:{}", "N")

    def _clouds_file_upload(self, random: Random) -> Iterator[Row]:
        name = f"/disk/{self._token(random)}.mp4"
        yield (self._token(random), self._day(1), name, None, 1, 5_242_880, 3, 0, None, 26_214_400)

    def _dav_connections(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(3), 1):
            kind = ("caldav", "google_api_oauth", "icloud")[number - 1]
            server = (
                "http",
                HOOKS_HOST,
                80,
                f"user{user}@{self.mail_domain}",
                self._token(random, 16),
                "/dav/",
            )
            times = (self._day(200), self._day(1), self._day(0))
            yield (
                number,
                "user",
                user,
                kind,
                "token",
                f"Календарь {number}",
                *server,
                *times,
                "[200] OK",
                "N",
                None,
            )

    def _im_bot(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self.staff.of("bot"), 1):
            yield (
                *(user.id, ("imbot", "rest", "imopenlines")[number - 1], f"sample_bot{number}", "S"),
                *(f"\\Sample\\Bot{number}", "ru", "onMessageAdd", "onWelcome", "Привет! 🚀"),
                *(random.randrange(900), 2, f"app.{number}", "Y", "Y" if number == 3 else "N", "N"),
            )

    def _im_bot_token(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self.staff.of("bot"), 1):
            yield (number, self._token(random), stamp(self.end + 30 * DAY), user.id, f"chat{number}")

    def _custom_connectors(self, _random: Random) -> Iterator[Row]:
        yield (1, "sample_connector", "Свой мессенджер", None, None, "Y", "Y", "Y", 1, None)

    def _connectors_status(self, random: Random) -> Iterator[Row]:
        for number, connector in enumerate(CONNECTORS, 1):
            data = serialized({"webhook": f"{HOOKS}/connector/{connector}/", "token": self._token(random)})
            yield (number, connector, "1", "Y", "Y", "N", "Y", data)

    def _openlines_config(self, _random: Random) -> Iterator[Row]:
        for number in range(1, 3):
            welcome = f"Здравствуйте! Это {self.domain}"
            yield (number, "Y", f"Линия {number}", "Y", "lead", 60, "Y", welcome, self._day(300), "N", None)

    def _openlines_queue(self, _random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(4), 1):
            yield (number, number, 1 + number % 2, user)

    def _site_button(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(2), 1):
            changed = ("Y" if number == 1 else "N", self._day(30), user)
            items = serialized({"openline": {"ACTIVE": "Y"}, "crmform": {"ACTIVE": "Y", "EXTERNAL_ID": "1"}})
            look = (f"Кнопка {number}", 4, 0, "ru", items, None, self._token(random, 6), "N", None)
            yield (number, self._day(200), user, *changed, *look)

    def _web_form(self, random: Random) -> Iterator[Row]:
        names = ("Обратный звонок", "Запись на просмотр", "Ипотека", "Старая форма")
        for number, (name, user) in enumerate(zip(names, self._people(4), strict=True), 1):
            state = ("N" if number == len(names) else "Y", user, self._day(40), "N", f"form_{number}")
            made = (self._token(random, 6), self._day(300), 1, name)
            yield (number, 0, name, "N", *made, *state, "Y" if number == 1 else "N", user)

    def _landing_domain(self, _random: Random) -> Iterator[Row]:
        yield (1, "Y", "acme.bitrix24.site", None, "https", "bitrix24", 1, self._day(300))

    def _landing_site(self, _random: Random) -> Iterator[Row]:
        yield (1, "/catalog/", "Y", "N", "Каталог", 1, "s1", self._day(300))

    def _ldap_server(self, random: Random) -> Iterator[Row]:
        login = (f"reader@{self.mail_domain}", self._token(random, 12), "dc=acme,dc=example")
        yield (1, self._day(100), "Каталог", "Y", "ad", HOOKS_HOST, 389, *login, "Y", 24, self._day(1))

    def _mailbox(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(4), 1):
            email = f"user{user}@{self.mail_domain}"
            options = serialized({"flags": ["crm_connect"], "imap": {"dirs": ["INBOX"], "outcome": ["Sent"]}})
            yield (
                *(
                    number,
                    self._day(number),
                    "s1",
                    "Y",
                    5,
                    email,
                    email,
                    f"Ящик {number}",
                    self.mail_host,
                    993,
                ),
                *("", email, "UTF-8", self._token(random, 24), None, "N", "N", 10, 0, 0, 0, "Y"),
                *("imap", None, "N", "N", user, None, options),
            )

    def _mail_upload_queue(self, random: Random) -> Iterator[Row]:
        for identifier in sorted(self._token(random) for _ in range(3)):
            yield (identifier, 1, 0, 0, 1)

    def _mail_oauth(self, random: Random) -> Iterator[Row]:
        for number in range(1, 3):
            secrets = (self._token(random), self._token(random, 40), self._token(random, 40))
            yield (number, *secrets, 1_795_000_000, self._token(random, 20))

    def _mail_sender(self, random: Random) -> Iterator[Row]:
        smtp = {"server": self.mail_host, "port": 25, "login": "robot", "password": self._token(random, 12)}
        for number, user in enumerate(self._people(3), 1):
            email = f"user{user}@{self.mail_domain}"
            options = serialized({"smtp": smtp, "source": "mail.client.config"})
            yield (number, f"Отправитель {number}", email, user, 1, 0, options, "", 0)

    def _sms_channel(self, random: Random) -> Iterator[Row]:
        for number in range(1, 3):
            yield (
                "rest",
                "SMS",
                f"channel{number}",
                f"SMS {number}",
                serialized({"key": self._token(random)}),
            )

    def _sms_message(self, random: Random) -> Iterator[Row]:
        for number in range(1, 13):
            waiting = number > 7
            phone = f"+7000{random.randrange(10_000_000):07}"
            times = (self._day(2), None if waiting else self._day(1), None)
            text = f"Ваша заявка принята: https://{self.domain}/pub/{number}"
            yield (
                *(number, "SMS", "rest", 1, "channel1", phone, None, text, *times, "N" if waiting else "Y"),
                *(None, 0 if waiting else 4, None, None),
            )

    def _pull_channel(self, random: Random) -> Iterator[Row]:
        for number in range(1, 61):
            user = self.staff.staff[number % len(self.staff.staff)].id
            kind = "private" if number % 2 else "shared"
            ids = (self._token(random), self._token(random), random.randrange(900))
            yield (number, user, kind, *ids, self._day(0))

    def _pull_push(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(20), 1):
            device = ("APPLE", "GOOGLE")[number % 2]
            ids = ("Bitrix24", self._token(random), self._token(random, 16), f"Телефон {number}")
            yield (
                number,
                user,
                device,
                *ids,
                self._token(random, 64),
                self._day(60),
                self._day(1),
                None,
                None,
            )

    def _pull_push_queue(self, _random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(5), 1):
            message = (f"IM|{number}", "IM", "Новое сообщение", "a:0:{}", None)
            yield (number, user, *message, 1, self._day(0), "Bitrix24")

    def _pull_stack(self, random: Random) -> Iterator[Row]:
        for number in range(1, 31):
            body = f'{{"module_id":"im","command":"message","params":{{"id":{number}}}}}'
            yield (number, self._token(random), body, self._day(0))

    def _pull_watch(self, random: Random) -> Iterator[Row]:
        for number in range(1, 151):
            user = self.staff.staff[number % len(self.staff.staff)].id
            tag = f"CRM_LEAD_{number}" if number % 2 else f"IM_PUBLIC_{number}';--"
            yield (number, user, self._token(random), tag, self._day(0))

    def _rest_password(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(5), 1):
            title = f"Входящий вебхук {number}"
            yield (
                number,
                user,
                self._token(random, 16),
                "Y",
                title,
                "",
                self._day(200),
                self._day(1),
                "192.0.2.9",
            )

    def _rest_password_rights(self, _random: Random) -> Iterator[Row]:
        rights = ("crm", "crm", "telephony", "task", "crm")
        for number, right in enumerate(rights, 1):
            yield (number, number, right)

    def _rest_app(self, random: Random) -> Iterator[Row]:
        for number in range(1, APPS + 1):
            client = f"app.{self._token(random, 14)}.{number:08}"
            urls = (f"{HOOKS}/app{number}/handler/", f"{HOOKS}/app{number}/install/" if number % 2 else None)
            yield (
                *(number, client, f"sample.marketapp{number}", "Y", "Y", *urls, "1", "crm,task,im,disk"),
                *("F" if number % 2 else "P", None, "N", None, self._token(random, 50)),
                *(f"Маркет-приложение {number}", "", self._token(random), "N", self._day(100 + number)),
            )

    def _rest_event(self, random: Random) -> Iterator[Row]:
        for number in range(1, APPS * 3 + 3):
            app = None if number > APPS * 3 else 1 + (number - 1) // 3
            handler = f"{HOOKS}/app{app}/event/" if app else f"{HOOKS}/outgoing/{number}/"
            yield (
                *(number, app, EVENTS[number % 3], handler, 0, "" if app else "Исходящий вебхук", ""),
                *(self._day(90), self._token(random), "", None, None),
            )

    def _rest_event_offline(self, random: Random) -> Iterator[Row]:
        for number in range(1, 11):
            data = serialized({"FIELDS": {"ID": str(number)}})
            message = (self._token(random), 1 + number % APPS, "ONCRMLEADADD", data, "a:0:{}")
            yield (number, self._day(1), *message, "", "", 0)

    def _rest_integration(self, random: Random) -> Iterator[Row]:
        for number in range(1, 3):
            urls = (serialized(["ONCRMLEADADD"]), f"{HOOKS}/integration/{number}/", None, None)
            yield (
                *(number, f"element{number}", f"Интеграция {number}", number, 1, None),
                *(serialized(["crm"]), None, *urls, self._token(random)),
            )

    def _rest_placement(self, _random: Random) -> Iterator[Row]:
        for number in range(1, APPS + 1):
            handler = f"{HOOKS}/app{number}/placement/"
            more = ("", self._day(90), None, 0, None, None)
            yield (number, number, "CRM_LEAD_DETAIL_TAB", handler, f"Вкладка {number}", *more)

    def _cashbox(self, _random: Random) -> Iterator[Row]:
        settings = serialized({"AUTH": {"LOGIN": "kassa", "URL": f"{HOOKS}/cashbox/"}})
        box = ("\\Sample\\Cashbox", f"kassa@{self.mail_domain}", self._day(300), self._day(1), "0001")
        yield (1, "Касса", *box, "Y", 100, "Y", "", None, settings)

    def _pay_system(self, _random: Random) -> Iterator[Row]:
        for number, name in enumerate(("Карта", "Счёт", "СБП"), 1):
            params = serialized({"URL": f"{HOOKS}/pay/{number}/"})
            yield (
                *(number, number, None, name, name, f"PAY{number}", 100, "Y", "sample_pay", None, "N"),
                *(params, "ORDER"),
            )

    def _mailing(self, _random: Random) -> Iterator[Row]:
        for number in range(1, 3):
            sender = f"news@{self.domain}"
            yield (number, f"Рассылка {number}", TRICKY[0], "Y", None, sender, "s1", "Y", "N")

    def _mailing_chain(self, _random: Random) -> Iterator[Row]:
        for number, status in enumerate("STNY", 1):
            head = (f"Письмо {number}", f"Новости {number}", f"news@{self.domain}")
            body = f'<a href="https://{self.domain}/pub/">Каталог</a>'
            times = (self._day(9), stamp(self.end + DAY))
            yield (number, 1, number, None, 1, status, "Y", *head, body, *times, "N")

    def _contact(self, _random: Random) -> Iterator[Row]:
        for number in range(1, CONTACTS + 1):
            code = f"subscriber{number}@example.test"
            yield (number, self._day(30), None, 1, code, f"Подписчик {number}", None, "N")

    def _recipient(self, _random: Random) -> Iterator[Row]:
        for number in range(1, 3 * CONTACTS + 1):
            sent = number % 4 == 0
            contact = 1 + (number - 1) % CONTACTS
            status, moment = ("Y", self._day(8)) if sent else ("U", None)
            yield (number, 1 + (number - 1) // CONTACTS, status, moment, contact, None)

    def _posting(self, _random: Random) -> Iterator[Row]:
        for number in range(1, 4):
            yield (number, 1, number, "P" if number < 3 else "S", self._day(9), None, None, 500, 400)

    def _transformer_command(self, random: Random) -> Iterator[Row]:
        for number in range(1, 4):
            job = (
                "\\Bitrix\\Transformer\\Command",
                "a:0:{}",
                "a:0:{}",
                "a:0:{}",
                f"disk/{number}.docx",
                None,
            )
            yield (number, self._token(random), 400 if number < 3 else 100, *job, self._day(1), self._day(1))

    def _hit_auth(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(4), 1):
            yield (number, user, self._token(random), "/pub/", "s1", self._day(3), stamp(self.end + DAY))

    def _user_session(self, random: Random) -> Iterator[Row]:
        for identifier in sorted(self._token(random, 40) for _ in range(6)):
            data = f"SESS|{serialized({'UID': 1, 'bin': 'x' * 50})}"
            yield (identifier, self._day(0), data)

    def _stored_auth(self, random: Random) -> Iterator[Row]:
        for number, user in enumerate(self._people(30), 1):
            yield (number, user, self._day(30), self._day(1), self._token(random), "N", 3_221_225_985)

    def _line_config(self, _random: Random) -> Iterator[Row]:
        for number in range(1, 4):
            mode = ("LINK", "RENT", "SIP")[number - 1]
            yield (number, f"reg{number}", mode, f"Линия {number}", "Y", "Y", "N", None)

    def _external_line(self, _random: Random) -> Iterator[Row]:
        yield (1, "70001112233", "+70001112233", "АТС", 1, "N", self._day(200), "Y")

    def _rented_number(self, _random: Random) -> Iterator[Row]:
        yield (1, "70004445566", "+7 000 444-55-66", "RU", "Y", self._day(400), 1, 2, "N", None)

    def _sip(self, random: Random) -> Iterator[Row]:
        server = (f"{HOOKS_HOST}:5060", "acme-line", self._token(random, 12), "acme", None)
        yield (1, 3, "cloud", 77, "app.sip", *server, "N")
