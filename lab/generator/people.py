"""Users of every kind a portal has, and what belongs to them (portal_runtime G)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from lab.generator.clock import DAY, stamp
from lab.generator.words import FIRST_NAMES, LAST_NAMES, NOUNS, POSITIONS
from lab.writer.rows import Row

ADMINISTRATORS, EVERYONE, REGISTERED, MAIL_USERS, STAFF, EXTRANET, SALES = 1, 2, 4, 5, 6, 7, 8
NETWORK = "socservices"
# A user who can log in at once: what is typed, and its SHA-512 crypt.
LOCAL_TYPED = "Cedar-Lake-2026"
LOCAL_HASH = (
    "$6$boxliftlab$6/pmC5BPgHUK.X6p6s7zMvQsaIGmPlDDa9vgGx0rcjEnhSKZrklwQp/AJsb2JGk7NR30BKZBG1zzzOUeWdqiB."
)
FIRED_EVERY = 11
SYSTEM_KINDS = ("imconnector", "imconnector", "replica", "sale", "shop", "call")


@dataclass(frozen=True, slots=True)
class User:
    """A row of b_user; `kind` is ours: network, local, fired, invited, extranet, bot, email or system."""

    id: int
    kind: str
    login: str
    email: str
    name: str
    last_name: str
    external: str
    password: str = ""
    active: bool = True
    confirm_code: str = ""
    groups: tuple[int, ...] = ()
    department: int | None = None

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.name} {self.last_name}"


@dataclass(frozen=True, slots=True)
class Staff:
    """All users, and those that other generators pick from; `staff` are active people of the company."""

    users: list[User]
    staff: list[User] = field(default_factory=list)

    def of(self, *kinds: str) -> list[User]:
        """Users of some kinds."""
        return [user for user in self.users if user.kind in kinds]


def make_staff(random: Random, employees: int, mail_domain: str) -> Staff:
    """Users: mostly Network users, and a few of every other kind."""
    users: list[User] = []

    def add(
        kind: str,
        login: str,
        email: str,
        external: str,
        *,
        groups: tuple[int, ...],
        password: str = "",
        active: bool = True,
        confirm_code: str = "",
        department: int | None = None,
    ) -> None:
        name, last_name = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
        users.append(
            User(
                id=len(users) + 1,
                kind=kind,
                login=login,
                email=email,
                name=name,
                last_name=last_name,
                external=external,
                password=password,
                active=active,
                confirm_code=confirm_code,
                groups=groups,
                department=department,
            )
        )

    inside = (EVERYONE, REGISTERED, STAFF)
    odd_mailboxes = {
        4: f"sales@{mail_domain}",
        5: f"sales@{mail_domain}",
        6: f"office@{mail_domain}",
        7: f"Office@{mail_domain}",
        9: "",
    }
    odd_logins = {10: "petrov"}
    add("network", "admin", f"user1@{mail_domain}", NETWORK, groups=(ADMINISTRATORS, *inside), department=1)
    for number in range(2, employees + 1):
        email = odd_mailboxes.get(number, f"user{number}@{mail_domain}")
        login = odd_logins.get(number, f"B24_{random.getrandbits(48):012x}")
        fired = number % FIRED_EVERY == 0
        groups = (*inside, SALES) if number % 3 == 0 else inside
        add(
            "fired" if fired else "network",
            login,
            email,
            NETWORK,
            active=not fired,
            groups=groups,
            department=1 + number % 6,
            password=("", "!", "*")[number % 3],
        )
    for login in ("ivanov", "petrov", "lab.local"):
        add("local", login, f"{login}@{mail_domain}", "", password=LOCAL_HASH, groups=inside, department=2)
    for number in range(4):
        email = f"invited{number}@{mail_domain}"
        code = f"{random.getrandbits(32):08x}"
        add("invited", email, email, "", password=LOCAL_HASH, confirm_code=code, groups=inside, department=3)
    for number in range(6):
        external = NETWORK if number % 2 else ""
        email = f"partner{number}@example.test"
        password = "" if external else LOCAL_HASH
        add("extranet", email, email, external, password=password, groups=(EVERYONE, REGISTERED, EXTRANET))
    for number in range(3):
        add("bot", f"bot_sample{number + 1}", "", "bot", groups=(EVERYONE, REGISTERED))
    for number in range(5):
        email = f"client{number}@example.test"
        add("email", email, email, "email", groups=(EVERYONE, MAIL_USERS))
    for number, kind in enumerate(SYSTEM_KINDS):
        add("system", f"{kind}_{number}", "", kind, groups=(EVERYONE,))
    return Staff(users, [user for user in users if user.kind in ("network", "local")])


def network_id(user: User) -> str:
    """Id of the user's profile in the vendor's Network."""
    return str(20_000_000 + user.id * 17)


def user_rows(random: Random, staff: Staff, end: int) -> Iterator[Row]:
    """Rows of b_user."""
    for user in staff.users:
        registered = end - random.randrange(30, 900) * DAY
        seen = user.kind not in ("invited", "system", "bot")
        yield (
            user.id,
            stamp(end - random.randrange(500) * DAY),
            user.login,
            user.password,
            f"{random.getrandbits(128):032x}" if user.id % 2 else None,
            "Y" if user.active else "N",
            user.name,
            user.last_name,
            None if user.id % 16 else random.choice(FIRST_NAMES),
            user.email,
            stamp(end - random.randrange(40 * DAY)) if seen else None,
            stamp(registered),
            "s1",
            f"{random.randrange(1960, 2005)}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}",
            None,
            random.choice(POSITIONS) if user.department else None,
            network_id(user) if user.external == NETWORK else None,
            user.external or None if user.id % 2 else user.external,
            "ru",
            random.choice((None, 0, 3600, -7200)),
            "N",
            "N",
            user.confirm_code or None,
            stamp(registered) if user.id % 2 else None,
        )


def social_rows(random: Random, staff: Staff) -> Iterator[Row]:
    """Rows of b_socialservices_user: one a Network user."""
    number = 0
    for user in staff.users:
        if user.external != NETWORK:
            continue
        number += 1
        yield (
            number,
            user.email or user.login,
            user.name,
            user.last_name,
            user.email,
            "Bitrix24Net",
            user.id,
            network_id(user),
            "N",
            f"https://net.example/profile/{user.id}",
            f"enc:{random.getrandbits(160):040x}",
            1_790_000_000 + user.id,
            f"{random.getrandbits(240):060x}",
            "s1",
            "Y",
        )


def index_rows(random: Random, staff: Staff) -> Iterator[Row]:
    """Rows of b_user_index."""
    for user in staff.users:
        words = " ".join(random.choices(NOUNS, k=3))
        yield (user.id, f"{user.full_name} {words} {user.login}", words, user.name, user.last_name, words)


def department_rows(staff: Staff) -> Iterator[Row]:
    """Rows of b_uts_user; an employee is who has a department (portal_runtime G)."""
    for user in staff.users:
        if user.department:
            phone = str(100 + user.id) if user.kind == "network" else None
            yield (user.id, f"a:1:{{i:0;i:{user.department};}}", phone, None)


def department_value_rows(staff: Staff) -> Iterator[Row]:
    """Rows of b_utm_user."""
    employees = [user for user in staff.users if user.department]
    for number, user in enumerate(employees, 1):
        yield (number, user.id, 8, None, user.department, None, None)


def invitation_rows(staff: Staff, end: int) -> Iterator[Row]:
    """Rows of b_intranet_invitation: nobody of these has confirmed."""
    for number, user in enumerate(staff.of("invited"), 1):
        yield (number, user.id, 1, "email", stamp(end - number * 9 * DAY), "N", "N", "N", "N", "N")


def group_member_rows(staff: Staff) -> Iterator[Row]:
    """Rows of b_user_group."""
    for user in staff.users:
        for group in sorted(user.groups):
            yield (user.id, group, None, None)
