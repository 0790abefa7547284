"""The portal's settings: sites, modules, options, events, mail templates, agents, and configuration files."""

from collections.abc import Iterator
from random import Random

from lab.generator.clock import DAY, HOUR, stamp
from lab.generator.people import Staff
from lab.generator.words import NOUNS, TRICKY, serialized
from lab.writer.rows import Row

COMPANY = "ООО «Акме Сэмпл»"
MODULES = (
    "bitrix24 bitrixcloud bizproc calendar clouds crm dav disk forum humanresources iblock im imbot "
    "imconnector imopenlines intranet landing ldap mail main messageservice pull rest sale search "
    "sender socialnetwork socialservices tasks transformer ui voximplant"
).split()
AGENTS = (
    ("main", "CEvent::CleanUpAgent();"),
    ("main", "CUser::CleanUpHitAuthAgent();"),
    ("main", 'CCheckMail::Run(1, "a;b");'),
    ("mail", "Bitrix\\Mail\\Helper::syncMailboxAgent(1);"),
    ("mail", "Bitrix\\Mail\\Helper::syncMailboxAgent(2);"),
    ("mail", "Bitrix\\Mail\\Helper::syncMailboxAgent(3);"),
    ("mail", "Bitrix\\Mail\\Helper::syncMailboxAgent(4);"),
    ("dav", "CDavGroupdavClientCalendar::DataSync();"),
    ("calendar", "\\Bitrix\\Calendar\\Sync\\Managers\\PushWatchingManager::renewWatchChannels();"),
    ("sender", "\\Bitrix\\Sender\\MailingManager::checkSend();"),
    ("messageservice", "\\Bitrix\\MessageService\\Queue::run();"),
    ("imconnector", "\\Bitrix\\ImConnector\\Agent::checkConnectors();"),
    ("voximplant", "CVoxImplantStatistic::getDailyReport();"),
    ("rest", "\\Bitrix\\Rest\\Event\\Sender::send();"),
    ("search", "CSearch::ReIndexAgent();"),
    ("crm", "\\Bitrix\\Crm\\Agent\\Search\\LeadSearchContentRebuildAgent::run();"),
    ("bitrix24", "CBitrix24::RefreshLicense();"),
    ("pull", "CPullOptions::ClearAgent();"),
    ("tasks", "\\Bitrix\\Tasks\\Util\\AgentManager::sendReminder();"),
)
EVENTS = (
    ("NEW_USER", "Новый пользователь"),
    ("USER_PASS_REQUEST", "Запрос пароля"),
    ("USER_INFO", "Данные пользователя"),
    ("CRM_EMAIL", "Письмо CRM"),
    ("TASK_REMINDER", "Напоминание"),
    ("IM_NEW_NOTIFY", "Уведомление"),
)
GROUPS = (
    "Администраторы",
    "Все пользователи",
    "Пользователи, имеющие право голосовать за рейтинг",
    "Зарегистрированные",
    "Почтовые пользователи",
    "Сотрудники",
    "Экстранет",
    "Отдел продаж",
    "Маркетинг",
)
PIPE = (("NEW", "Новая", None), ("WON", "Успех", "S"), ("LOSE", "Провал", "F"))
STATUSES = (
    ("STATUS", "NEW", "Не обработан", None),
    ("STATUS", "IN_PROCESS", "В работе", None),
    ("STATUS", "PROCESSED", "Обработан", None),
    ("STATUS", "CONVERTED", "Качественный лид", "S"),
    ("STATUS", "JUNK", "Некачественный лид", "F"),
    ("DEAL_STAGE", "NEW", "Новая", None),
    ("DEAL_STAGE", "PREPARATION", "Подготовка", None),
    ("DEAL_STAGE", "EXECUTING", "В работе", None),
    ("DEAL_STAGE", "WON", "Успех", "S"),
    ("DEAL_STAGE", "LOSE", "Провал", "F"),
    *(
        (f"DEAL_STAGE_{pipe}", f"C{pipe}:{code}", name, semantics)
        for pipe in (1, 2)
        for code, name, semantics in PIPE
    ),
    ("SOURCE", "CALL", "Звонок", None),
    ("SOURCE", "WEB", "Веб-сайт", None),
    ("SOURCE", "EMAIL", "Почта", None),
    ("SOURCE", "ADVERTISING", "Реклама", None),
    ("SOURCE", "OTHER", "Другое", None),
)
UNSENT_MAILS = 7
SENT_MAILS = 60
FILLERS = 60
USER_FIELDS = 9
ENUMERATION_FIELD = 4


class Configuration:
    """Settings of one portal as the cloud left them (backup_format 7, portal_runtime D, I)."""

    def __init__(self, domain: str, mail_domain: str, portal_number: int, staff: Staff, end: int) -> None:
        self.domain = domain
        self.mail_domain = mail_domain
        self.number = portal_number
        self.staff = staff
        self.end = end

    def options(self, random: Random) -> dict[tuple[str, str], str | None]:
        """b_option without its last two columns."""
        domain, url = self.domain, f"https://{self.domain}"
        options: dict[tuple[str, str], str | None] = {
            ("bitrix24", "~autopay"): "N",
            ("bitrix24", "~prefix"): "ru",
            ("bitrix24", "creator_confirmed"): "Y",
            ("bitrix24", "custom_domain_settings"): serialized(
                {"domain": domain, "alias": f"старый-домен.{domain}", "ssl": True}
            ),
            ("bitrix24", "host_name"): domain,
            ("bitrix24", "partner_id"): "0",
            ("bitrix24", "portal_id"): str(self.number),
            ("bitrixcloud", "cdn_config_active"): "0",
            ("bitrixcloud", "cdn_config_domain"): domain,
            ("call", "public_url"): url,
            ("clouds", "delayed_resize"): "N",
            ("crm", "portal_protocol_url"): url,
            ("crm", "portal_url"): f"{url}/",
            ("crm", "sale_crm_public_url"): f"{url}/pub/",
            ("disk", "default_viewer_service"): "onlyoffice",
            ("disk", "disk_allow_edit_object_in_uf"): "Y",
            ("disk", "disk_onlyoffice_install_mode"): "2",
            ("disk", "disk_onlyoffice_server"): "https://office.cloud.internal.example",
            ("disk", "disk_nginx_mod_zip_enabled"): "Y",
            ("disk", "documents_enabled"): "Y",
            ("disk", "successfully_converted"): "Y",
            ("im", "view_offline"): "Y",
            ("imbot", "portal_url"): url,
            ("imopenlines", "portal_url"): url,
            ("intranet", "portal_name"): f"{COMPANY} 🚀",
            ("intranet", "portal_url"): url,
            ("intranet", "search_file_extension_exe_doc"): '/opt/cloud/bin/catdoc -d utf-8 "#FILE_NAME#"',
            ("intranet", "search_file_extension_exe_pdf"): "",
            ("intranet", "trusted_hosts"): serialized([domain, f"www.{domain}", "пример.example"]),
            ("landing", "portal_url"): url,
            ("landing", "pub_path_s1"): "/pub/site/",
            ("mail", "default_email"): f"box@{domain}",
            ("main", "admin_passwordh"): "U1lOVEhFVElDLU5PVC1BLVJFQUwtSEFTSA==",
            ("main", "agents_use_crontab"): "Y",
            ("main", "captcha_restoring_password"): "N",
            ("main", "check_agents"): "N",
            ("main", "check_events"): "N",
            ("main", "control_file_duplicates"): "Y",
            ("main", "cookie_name"): "BITRIX_SM",
            ("main", "crypto_algorithm"): "aes-256-ctr",
            ("main", "duplicates_max_size"): "100",
            ("main", "email_from"): f"no-reply@{domain}",
            ("main", "empty_value"): "",
            ("main", "last_site_url"): url,
            ("main", "mail_event_bulk"): "5",
            ("main", "null_value"): None,
            ("main", "server_name"): domain,
            ("main", "site_name"): COMPANY,
            ("main", "text_tricky"): TRICKY[1],
            ("main", "update_site"): "www.example.invalid",
            ("main", "upload_dir"): "upload",
            ("main", "vendor"): "1c_bitrix_portal",
            ("main", "~PARAM_CLIENT_LANG"): "ru",
            ("main", "~PARAM_MAX_USERS"): "50",
            ("main", "~controller_group_name"): "ru_std",
            ("main", "~controller_group_till"): "1795000000",
            ("main", "~ft_b_user_index"): serialized({"SEARCH_USER_CONTENT": True}),
            ("main", "~license_name"): "SAMPLE",
            ("main", "~support_finish_date"): "2027-01-01",
            ("pull", "exclude_sites"): "a:0:{}",
            ("pull", "guest"): "N",
            ("pull", "host_id"): "0123456789abcdef",
            ("pull", "nginx"): "N",
            ("pull", "nginx_version"): "4",
            ("pull", "path_to_publish"): "http://push01.cloud.internal.example/bitrix/pub/",
            ("pull", "push"): "N",
            ("pull", "push_server_mode"): "personal",
            ("pull", "server_mode"): "shared",
            ("pull", "shared_server_address"): "rtc.cloud.internal.example",
            ("pull", "shared_server_key"): f"{random.getrandbits(128):032x}",
            ("pull", "signature_key"): "",
            ("pull", "websocket"): "N",
            ("rest", "enable_mod_zip"): "Y",
            ("rest", "server_name"): domain,
            ("rest", "server_path"): f"{url}/rest",
            ("rest", "service_client_id"): f"app.{random.getrandbits(64):016x}.00000000",
            ("rest", "service_client_secret"): f"{random.getrandbits(160):040x}",
            ("search", "full_text_engine"): "mysql",
            ("search", "include_mask"): "*.php;*.html",
            ("security", "restriction_hosts_action"): "stop",
            ("security", "restriction_hosts_hosts"): domain,
            ("sender", "address_from"): f"news@{domain}",
            ("sign", "current_domain"): domain,
            ("sign", "public_url"): url,
            ("socialnetwork", "user_page"): "/company/personal/",
            ("socialservices", "allow_encrypted_tokens"): "1",
            ("socialservices", "bitrix24net_domain"): url,
            ("socialservices", "bitrix24net_id"): f"net.{random.getrandbits(64):016x}.00000000",
            ("socialservices", "bitrix24net_secret"): f"{random.getrandbits(160):040x}",
            ("tasks", "paths_task_user"): "/company/personal/user/#user_id#/tasks/",
            ("tasks", "task_forum_id"): "8",
            ("transformer", "portal_url"): url,
            ("transformer", "transformer_controller_url"): "https://transformer.cloud.internal.example",
            ("voximplant", "portal_type"): "BITRIX24",
            ("voximplant", "portal_url"): url,
        }
        for number in range(FILLERS):
            word = random.choice(NOUNS)
            values = (serialized({"k": word, "n": number}), str(random.randrange(10**6)), f"{word} {word}")
            options["sample", f"filler_{number:03}"] = values[number % 3]
        return options

    def option_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_option, by the bytes of its key."""
        options = self.options(random)
        for module, name in sorted(options, key=lambda key: (key[0].encode(), key[1].encode())):
            yield (module, name, options[module, name], None, None)

    def options_with_old_domain(self, random: Random) -> int:
        """How many option values name the cloud domain."""
        return sum(1 for value in self.options(random).values() if value and self.domain in value)

    def agent_rows(self) -> Iterator[Row]:
        """Rows of b_agent: nearly all of them active and overdue after the move."""
        for number, (module, name) in enumerate(AGENTS, 1):
            last = self.end - number * 977
            active = "N" if number == len(AGENTS) else "Y"
            times = (stamp(last), stamp(last + HOUR), None)
            yield (number, module, 100, name, active, *times, 3600 if number % 2 else 60, "N", None, "N", 0)

    def event_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_event: sent mails, then unsent ones."""
        people = self.staff.of("network")
        for number in range(1, SENT_MAILS + UNSENT_MAILS + 1):
            unsent = number > SENT_MAILS
            email = people[random.randrange(len(people))].email or f"box@{self.mail_domain}"
            fields = {
                "EMAIL_TO": email,
                "TEXT": TRICKY[number % len(TRICKY)],
                "URL": f"https://{self.domain}/crm/",
            }
            name = EVENTS[number % len(EVENTS)][0]
            sent = None if unsent else stamp(self.end - random.randrange(9 * DAY))
            yield (
                *(number, name, None, "s1", serialized(fields), stamp(self.end - 10 * DAY + number), sent),
                *("N" if unsent else "Y", "Y", "ru"),
            )

    def event_type_rows(self) -> Iterator[Row]:
        """Rows of b_event_type."""
        for number, (name, title) in enumerate(EVENTS, 1):
            yield (number, "ru", name, title, "#USER_ID# - код\n#EMAIL# - почта", 150, "email")

    def event_message_rows(self) -> Iterator[Row]:
        """Rows of b_event_message; a sender is hard-coded to the cloud domain in the last one."""
        for number, (name, title) in enumerate(EVENTS, 1):
            last = number == len(EVENTS)
            if name == "USER_PASS_REQUEST":
                path = "/auth/?change_password=yes&lang=ru&USER_CHECKWORD=#CHECKWORD#&USER_LOGIN=#URL_LOGIN#"
            else:
                path = "/company/personal/"
            body = f"Здравствуйте!\n\nСсылка: http://#SERVER_NAME#{path}\n"
            if last:
                body += TRICKY[1]
            sender = f"robot@{self.domain}" if last else "#DEFAULT_EMAIL_FROM#"
            subject = f"{title}: #SITE_NAME#"
            yield (
                *(number, stamp(self.end - number * DAY), name, "s1", "Y", sender, "#EMAIL#", subject, body),
                *("text", None, None),
            )

    def group_rows(self) -> Iterator[Row]:
        """Rows of b_group."""
        for number, name in enumerate(GROUPS, 1):
            policy = serialized({"SESSION_TIMEOUT": 24}) if number == 1 else None
            code = f"SAMPLE_G{number}" if number > 4 else None
            anonymous, system = "Y" if number == 2 else "N", "N" if number > 5 else "Y"
            moment = stamp(self.end - number * DAY)
            yield (number, moment, "Y", number * 10, anonymous, system, name, None, policy, code)

    def site_rows(self) -> Iterator[Row]:
        """Rows of b_lang: the sites have no SERVER_NAME, as in the cloud."""
        mail = f"no-reply@{self.domain}"
        yield ("ex", 200, "N", "Y", "Экстранет", "/extranet/", "ru", "", "N", "", COMPANY, mail, 1)
        yield ("s1", 100, "Y", "Y", "Портал", "/", "ru", "", "N", "", COMPANY, mail, 1)

    def module_rows(self) -> Iterator[Row]:
        """Rows of b_module."""
        for number, module in enumerate(sorted(MODULES)):
            yield (module, stamp(self.end - (number * 13 + 1) * DAY))

    def handler_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_module_to_module."""
        for number in range(1, 47):
            source, target = random.choice(MODULES), random.choice(MODULES)
            moment = stamp(self.end - number * 5 * DAY)
            handler = (
                f"OnSynthetic{number}",
                target,
                "" if number % 2 else None,
                f"\\Sample\\Handler{number}",
            )
            unique = f"{random.getrandbits(128):032x}"
            yield (number, moment, 100, source, *handler, "handle", "", 2, unique)

    def status_rows(self, random: Random) -> Iterator[Row]:
        """Rows of b_crm_status."""
        for number, (entity, status, name, semantics) in enumerate(STATUSES, 1):
            color = f"#{random.getrandbits(24):06x}"
            yield (number, entity, status, name, name, number * 10, "Y", color, semantics, 0)

    def user_field_rows(self) -> Iterator[Row]:
        """Rows of b_user_field."""
        for number in range(1, USER_FIELDS + 1):
            entity, name = ("CRM_LEAD", f"UF_CRM_17150000{number:02}")
            if number == 8:
                entity, name = ("USER", "UF_DEPARTMENT")
            settings = serialized({"SIZE": 20, "DEFAULT_VALUE": TRICKY[number]})
            multiple = "Y" if number == 8 else "N"
            kind = "enumeration" if number == ENUMERATION_FIELD else "string"
            yield (number, entity, name, kind, None, number * 100, multiple, "N", settings)

    def user_field_enum_rows(self) -> Iterator[Row]:
        """Rows of b_user_field_enum: the values of one list."""
        for number, value in enumerate(("Да", "Нет", "a'b; (c),"), 1):
            yield (number, ENUMERATION_FIELD, value, "N", number * 100, f"xml{number}")

    def user_field_label_rows(self) -> Iterator[Row]:
        """Rows of b_user_field_lang."""
        for number in range(1, USER_FIELDS + 1):
            for language, word in (("de", "Feld"), ("en", "Field"), ("ru", "Поле")):
                yield (number, language, *(f"{word} {number}" for _ in range(3)), None, "")

    def files(self, secret: str) -> dict[str, bytes]:
        """Configuration files as archived: credentials masked, hosts and keys kept (backup_format 2.16)."""
        return {
            "bitrix/.settings.php": self._settings(secret).encode(),
            "bitrix/php_interface/dbconn.php": self._dbconn().encode(),
            "bitrix/license_key.php": b'<?php\n$LICENSE_KEY = "SAMPLE-ACME-0001-NOTAKEY";\n',
        }

    def _dbconn(self) -> str:
        return (
            '<?php\ndefine("DBPersistent", false);\n$DBType = "mysql";\n'
            '$DBHost = "db17.cloud.internal.example";\n'
            '$DBLogin = "******";\n$DBPassword = "******";\n$DBName = "******";\n$DBDebug = false;\n'
            'define("BX_FILE_PERMISSIONS", 0644);\ndefine("BX_DIR_PERMISSIONS", 0755);\n'
            f'define("BX24_HOST_NAME", "{self.domain}");\ndefine("BX_UTF", true);\n'
            'define("CACHED_b_file", 3600);\n'
        )

    def _settings(self, secret: str) -> str:
        hidden = {"database": "******", "login": "******", "password": "******", "options": 2.0}
        connection = "\\Bitrix\\Main\\DB\\MysqliConnection"
        sections: dict[str, tuple[object, bool]] = {
            "utf_mode": (True, True),
            "cache_flags": ({"config_options": 3600.0}, False),
            "cache": (
                {
                    "type": {
                        "class_name": "\\Bitrix\\Main\\Data\\CacheEngineMemcache",
                        "extension": "memcache",
                    },
                    "memcache": {"host": "mc01.cloud.internal.example", "port": "11211"},
                    "sid": f"b{self.number}",
                },
                False,
            ),
            "session": (
                {
                    "mode": "separated",
                    "handlers": {
                        "kernel": "encrypted_cookies",
                        "general": {"type": "redis", "host": "redis.cloud.internal.example", "port": 6379},
                    },
                },
                False,
            ),
            "crypto": ({"crypto_key": secret[:32]}, True),
            "connections": (
                {
                    "default": {"className": connection, "host": "db17.cloud.internal.example", **hidden},
                    "replica": {"className": connection, "host": "db18.cloud.internal.example", **hidden},
                },
                True,
            ),
            "pull": (
                {
                    "path_to_publish": "http://push01.cloud.internal.example/bitrix/pub/",
                    "path_to_listener": f"https://{self.domain}/bitrix/sub/",
                    "nginx_version": "4",
                    "signature_key": secret * 2,
                    "signature_algo": "sha1",
                    "guest": "N",
                },
                False,
            ),
            "smtp": ({"enabled": False, "debug": False}, False),
            "exception_handling": ({"debug": False, "handled_errors_types": 4437, "log": None}, False),
        }
        tree: dict[str, object] = {
            name: {"value": value, "readonly": fixed} for name, (value, fixed) in sections.items()
        }
        tree["pull_s1"] = "BEGIN GENERATED PUSH SETTINGS. DON'T DELETE COMMENT!!!!"
        return f"<?php\nreturn {exported(tree)};\n"


def exported(value: object, depth: int = 0) -> str:
    """PHP's var_export()."""
    if isinstance(value, dict):
        pad = "  " * depth
        lines = "".join(f"{pad}  '{key}' => {_nested(item, depth + 1)},\n" for key, item in value.items())
        return f"array (\n{lines}{pad})"
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _nested(value: object, depth: int) -> str:
    text = exported(value, depth)
    return f"\n{'  ' * depth}{text}" if isinstance(value, dict) else text
