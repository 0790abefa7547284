"""One synthetic portal: its tables as streams of rows, its files, and the facts that checks rely on."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

from lab.generator import people, sundries, uploads
from lab.generator.clock import lead_times, stamp, to_seconds
from lab.generator.crm import SEARCH_WORD, Crm
from lab.generator.leftovers import APPS, Leftovers
from lab.generator.plan import Plan, Settings
from lab.generator.settings import UNSENT_MAILS, Configuration
from lab.generator.talk import NOTIFICATION_EVERY, Talk
from lab.generator.views import DEFINER, views
from lab.generator.words import Phrases
from lab.generator.work import Storage, Work
from lab.writer.rows import Row
from lab.writer.schema import Table, read_tables

SCHEMA = Path(__file__).parent / "schema"
RowSource = Callable[[Random], Iterable[Row]]


def read_schema() -> dict[str, Table]:
    """Definitions of all tables, by name, in the order of the dump."""
    tables: dict[str, Table] = {}
    for name in ("portal.sql", "further.sql"):
        tables.update(read_tables((SCHEMA / name).read_text(encoding="utf-8")))
    return dict(sorted(tables.items()))


def _nothing(_random: Random) -> Iterator[Row]:
    return iter(())


class Portal:
    """A portal made from settings; each table's rows come from a random stream of their own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.plan = Plan.for_size(settings.size)
        self.end = to_seconds(settings.at)
        self.tables = read_schema()
        self.times = lead_times(self.random("leads"), self.plan.leads, settings.at)
        self.staff = people.make_staff(self.random("staff"), self.plan.employees, settings.mail_domain)
        self.uploads = uploads.make_uploads(
            self.random("files"),
            Phrases(self.random("file texts"), 400),
            self.plan.file_bytes,
            settings.seed,
            self.end,
        )
        self.work = Work(self.random("work"), self.plan, self.staff, self.end, settings.domain)
        self.storage = Storage(self.staff, self.uploads)
        self.talk = Talk(
            self.random("talk"),
            self.plan,
            self.staff,
            work=self.work,
            storage=self.storage,
            end=self.end,
            domain=settings.domain,
        )
        self.crm = Crm(self.plan, self.times, self.staff, self.end, settings.domain)
        self.configuration = Configuration(
            settings.domain, settings.mail_domain, settings.portal_number, self.staff, self.end
        )
        self.leftovers = Leftovers(
            settings.domain, settings.mail_domain, self.staff, self.end, settings.portal_number
        )
        self.views = views(self.crm)
        self._sources = self._row_sources()
        plan = self.plan
        self._last_ids = {
            "b_crm_act": plan.activities,
            "b_crm_act_bind": plan.activities + plan.activities // 4,
            "b_crm_company": plan.companies,
            "b_crm_contact": plan.contacts,
            "b_crm_deal": plan.deals,
            "b_crm_field_multi": self.crm.multi_field_count(),
            "b_crm_lead": self.crm.leads,
            "b_crm_timeline": plan.timeline,
            "b_disk_object": self.storage.object_of(len(self.storage.files)) - 1,
            "b_event_log": plan.log_entries,
            "b_forum_message": sum(task.comments + 1 for task in self.work.tasks if task.topic),
            "b_im_chat": len(self.talk.chats),
            "b_im_message": plan.messages,
            "b_im_message_param": self.talk.parameter_count(),
            "b_im_relation": sum(len(chat.members) for chat in self.talk.chats),
            "b_tasks": plan.tasks,
            "b_voximplant_statistic": plan.calls,
        }

    def random(self, purpose: str) -> Random:
        """A random stream of its own for each purpose."""
        return Random(f"{self.settings.seed}:{purpose}")

    def rows(self, table: str) -> Iterable[Row]:
        """Rows of a table, in the order of its key."""
        return self._sources[table](self.random(table))

    def counted_rows(self, table: Table) -> tuple[int | None, Iterable[Row]]:
        """The table's AUTO_INCREMENT (None: it has none) and its rows; small tables are held in memory."""
        if not table.counts:
            return None, self.rows(table.name)
        if table.name in self._last_ids:
            return self._last_ids[table.name] + 1, self.rows(table.name)
        rows = list(self.rows(table.name))
        last = rows[-1][0] if rows else 0
        return (int(last) + 1 if last else None), rows

    def file_facts(self) -> dict[str, object]:
        """What b_file says against what there is."""
        rows = self.uploads.rows
        return {
            "bucket": int(uploads.BUCKET),
            "local_present": sum(1 for upload in rows if upload.delivered and not upload.handler),
            "handler_set_and_file_delivered": sum(
                1 for upload in rows if upload.delivered and upload.handler
            ),
            "handler_set_object_not_delivered": [u.id for u in rows if u.handler and not u.delivered],
            "local_row_without_file": [u.id for u in rows if not u.handler and not u.delivered],
            "files_without_row": [upload.path for upload in self.uploads.files if not upload.id],
        }

    def _row_sources(self) -> dict[str, RowSource]:
        crm, work, talk, storage, staff = self.crm, self.work, self.talk, self.storage, self.staff
        configuration, end = self.configuration, self.end
        return {
            **self.leftovers.tables,
            "b_agent": lambda _: configuration.agent_rows(),
            "b_crm_act": crm.activity_rows,
            "b_crm_act_bind": crm.activity_bind_rows,
            "b_crm_company": crm.company_rows,
            "b_crm_contact": crm.contact_rows,
            "b_crm_deal": crm.deal_rows,
            "b_crm_deal_category": lambda _: crm.category_rows(),
            "b_crm_dynamic_items_128": crm.process_item_rows,
            "b_crm_dynamic_type": lambda _: crm.process_rows(),
            "b_crm_field_multi": crm.multi_field_rows,
            "b_crm_item_category": lambda _: crm.process_category_rows(),
            "b_crm_lead": crm.lead_rows,
            "b_crm_status": configuration.status_rows,
            "b_crm_timeline": crm.timeline_rows,
            "b_crm_timeline_bind": lambda _: crm.timeline_bind_rows(),
            "b_disk_attached_object": lambda _: storage.attached_rows(work.tasks, end),
            "b_disk_object": lambda random: storage.object_rows(random, end),
            "b_disk_storage": lambda _: storage.storage_rows(),
            "b_event": configuration.event_rows,
            "b_event_log": lambda random: sundries.log_rows(random, staff, self.plan.log_entries, end),
            "b_event_message": lambda _: configuration.event_message_rows(),
            "b_event_message_site": lambda _: ((row[0], "s1") for row in configuration.event_message_rows()),
            "b_event_type": lambda _: configuration.event_type_rows(),
            "b_file": lambda random: uploads.file_rows(random, self.uploads),
            "b_file_hash": lambda _: uploads.hash_rows(self.uploads),
            "b_forum": lambda _: work.forum_rows(),
            "b_forum_message": work.comment_rows,
            "b_forum_topic": lambda _: work.topic_rows(),
            "b_group": lambda _: configuration.group_rows(),
            "b_hot_keys": lambda _: sundries.hot_key_rows(staff),
            "b_hot_keys_code": lambda _: sundries.hot_key_code_rows(),
            "b_im_chat": lambda _: talk.chat_rows(),
            "b_im_legacy_word": sundries.legacy_rows,
            "b_im_message": talk.message_rows,
            "b_im_message_param": lambda _: talk.parameter_rows(),
            "b_im_relation": lambda _: talk.relation_rows(),
            "b_intranet_invitation": lambda _: people.invitation_rows(staff, end),
            "b_lang": lambda _: configuration.site_rows(),
            "b_lang_domain": lambda _: iter([("s1", self.settings.domain)]),
            "b_language": lambda _: sundries.language_rows(),
            "b_module": lambda _: configuration.module_rows(),
            "b_module_to_module": configuration.handler_rows,
            "b_option": configuration.option_rows,
            "b_sample_types": sundries.type_rows,
            "b_search_content": _nothing,
            "b_search_content_site": _nothing,
            "b_search_content_stem": _nothing,
            "b_search_content_text": _nothing,
            "b_short_uri": lambda random: sundries.short_link_rows(random, end),
            "b_site_template": lambda _: sundries.template_rows(),
            "b_socialservices_user": lambda random: people.social_rows(random, staff),
            "b_sonet_group": work.group_rows,
            "b_sonet_user2group": lambda _: work.group_member_rows(),
            "b_tasks": work.task_rows,
            "b_tasks_member": lambda _: work.member_rows(),
            "b_tasks_task_chat": lambda _: talk.task_chat_rows(),
            "b_user": lambda random: people.user_rows(random, staff, end),
            "b_user_counter": lambda _: sundries.counter_rows(staff),
            "b_user_field": lambda _: configuration.user_field_rows(),
            "b_user_field_enum": lambda _: configuration.user_field_enum_rows(),
            "b_user_field_lang": lambda _: configuration.user_field_label_rows(),
            "b_user_group": lambda _: people.group_member_rows(staff),
            "b_user_index": lambda random: people.index_rows(random, staff),
            "b_utm_user": lambda _: people.department_value_rows(staff),
            "b_uts_crm_lead": crm.lead_field_rows,
            "b_uts_user": lambda _: people.department_rows(staff),
            "b_voximplant_statistic": crm.call_rows,
        }

    def facts(self) -> dict[str, object]:
        """Numbers and names for checks after a restore; call when all tables are written."""
        return {
            "leads": self._lead_facts(),
            "search": {
                "lead_id": self.crm.search_lead,
                "title": self.crm.search_title,
                "query": SEARCH_WORD,
                "found_before_reindex": 0,
            },
            "users": self._user_facts(),
            "task": self._task_facts(),
            "chat": {
                "id": self.talk.fact_talk.id,
                "title": self.talk.fact_talk.title,
                "members": list(self.talk.fact_talk.members),
                "messages": self.talk.fact_messages(self.talk.fact_talk),
            },
            "notification": self._notification_facts(),
            "cloud_state": self._cloud_facts(),
        }

    def _lead_facts(self) -> dict[str, object]:
        moments, times = self.times.moments, self.times
        return {
            "count": len(moments),
            "max_id": len(moments),
            "first": stamp(moments[0]),
            "last": stamp(moments[-1]),
            "by_weekday_hour_mon_sun": times.per_hour,
            "by_day": times.per_day,
            "by_weekday_mon_sun": [
                round(sum(hours) / days, 4)
                for hours, days in zip(times.per_hour, times.weekdays(), strict=True)
            ],
            "outage": {"first": stamp(times.outage.first), "last": stamp(times.outage.last), "leads": 0},
        }

    def _user_facts(self) -> dict[str, object]:
        counts: dict[str, int] = {}
        mails: dict[str, int] = {}
        for user in self.staff.users:
            counts[user.kind] = counts.get(user.kind, 0) + 1
            if user.email:
                mails[user.email.lower()] = mails.get(user.email.lower(), 0) + 1
        network = self.staff.of("network")
        taken = {user.login for user in self.staff.users if not user.external}
        lone = next(
            user
            for user in network[1:]
            if user.email and mails[user.email.lower()] == 1 and user.login not in taken
        )
        local = next(user for user in self.staff.of("local") if user.login == "lab.local")
        return {
            "by_kind": counts,
            "administrator": {"id": 1, "login": network[0].login, "email": network[0].email},
            "without_password": {
                "id": lone.id,
                "login": lone.login,
                "email": lone.email,
                "name": lone.full_name,
                "external_auth_id": lone.external,
            },
            "with_password": {
                "id": local.id,
                "login": local.login,
                "email": local.email,
                "password": people.LOCAL_TYPED,
            },
            "invited": [user.id for user in self.staff.of("invited")],
            "fired": [user.id for user in self.staff.of("fired")],
            "extranet": [user.id for user in self.staff.of("extranet")],
            "shared_emails": {
                mail: [user.id for user in self.staff.users if user.email.lower() == mail]
                for mail, count in sorted(mails.items())
                if count > 1
            },
            "without_email": [user.id for user in network if not user.email],
            "login_taken": [user.id for user in network if user.login in taken],
            "network_active_employees": len(network),
            "letters": [user.id for user in network if user.email],
        }

    def _task_facts(self) -> dict[str, object]:
        task = self.work.fact_task
        chat = self.talk.fact_chat
        comments = [self.work.comment_text(task, position) for position in range(1, task.comments + 1)]
        return {
            "id": task.id,
            "title": task.title,
            "creator": task.creator,
            "responsible": task.responsible,
            "forum_topic_id": task.topic,
            "comments": comments,
            "chat_id": chat.id,
            "chat_messages": self.talk.fact_messages(chat),
        }

    def _notification_facts(self) -> dict[str, object]:
        number = NOTIFICATION_EVERY
        user, task = self.talk.notified(number)
        return {"message_id": number, "user_id": user, "task_id": task.id, "link": self.talk.link(number)}

    def _cloud_facts(self) -> dict[str, object]:
        network = [user for user in self.staff.users if user.external == people.NETWORK]
        agents = [row for row in self.configuration.agent_rows() if row[4] == "Y"]
        return {
            "module_bitrix24": 1,
            "server_name": self.settings.domain,
            "b_lang": "ex\t\ns1",
            "b_lang_domain": f"s1\t{self.settings.domain}",
            "rest_apps": APPS,
            "rest_events": sum(1 for _ in self.rows("b_rest_event")),
            "network_users": len(network),
            "users_without_usable_password": sum(1 for user in self.staff.users if len(user.password) < 3),
            "bots": len(self.staff.of("bot")),
            "agents_active": len(agents),
            "unsent_events": UNSENT_MAILS,
            "unsent_sms": sum(1 for row in self.rows("b_messageservice_message") if row[11] == "N"),
            "active_mailboxes": sum(1 for _ in self.rows("b_mail_mailbox")),
            "file_rows_with_handler": sum(1 for upload in self.uploads.rows if upload.handler),
            "notifications_without_domain": self.plan.messages // NOTIFICATION_EVERY,
            "example_link": self.talk.link(NOTIFICATION_EVERY),
            "option_values_with_old_domain": self.configuration.options_with_old_domain(
                self.random("b_option")
            ),
            "search_rows": 0,
            "view_definer": DEFINER,
        }
