<?php

use Bitrix\Main\Config\Option;
use Boxlift\Standin\Db;
use Boxlift\Standin\Sessions;

/**
 * Accounts. Local sign-in, recovery and password change see only users whose EXTERNAL_AUTH_ID is empty
 * (portal_runtime G).
 */
class CUser
{
    private const LOCAL = "(EXTERNAL_AUTH_ID IS NULL OR EXTERNAL_AUTH_ID = '')";
    private const CHECKWORD_MINUTES = 2880;
    private const PASSWORD_LENGTH = 6;
    private const LOGIN_LENGTH = 3;

    public string $LAST_ERROR = '';

    /** @var array<string, mixed>|null */
    private ?array $current = null;

    public function __construct()
    {
        $this->recall();
    }

    private function recall(): void
    {
        $id = (int)($_SESSION['SESS_AUTH']['USER_ID'] ?? 0);
        $this->current = $id > 0
            ? Db::row("SELECT * FROM b_user WHERE ID = ? AND ACTIVE = 'Y' AND BLOCKED <> 'Y'", [$id])
            : null;
    }

    public function IsAuthorized(): bool
    {
        return $this->current !== null;
    }

    public function GetID(): ?int
    {
        return $this->current === null ? null : (int)$this->current['ID'];
    }

    public function GetLogin(): string
    {
        return (string)($this->current['LOGIN'] ?? '');
    }

    public function GetFullName(): string
    {
        return trim(($this->current['NAME'] ?? '') . ' ' . ($this->current['LAST_NAME'] ?? ''));
    }

    public function IsAdmin(): bool
    {
        return $this->current !== null && in_array(1, self::GetUserGroup((int)$this->current['ID']), true);
    }

    /** @return list<int> */
    public static function GetUserGroup(int $id): array
    {
        $rows = Db::rows('SELECT GROUP_ID FROM b_user_group WHERE USER_ID = ?'
            . ' AND (DATE_ACTIVE_FROM IS NULL OR DATE_ACTIVE_FROM <= NOW())'
            . ' AND (DATE_ACTIVE_TO IS NULL OR DATE_ACTIVE_TO >= NOW())', [$id]);
        return array_map('intval', array_column($rows, 'GROUP_ID'));
    }

    public function Authorize(int $id): bool
    {
        Sessions::isolate();
        $_SESSION['SESS_AUTH'] = ['USER_ID' => $id];
        Db::run('UPDATE b_user SET LAST_LOGIN = NOW() WHERE ID = ?', [$id]);
        $this->recall();
        return $this->IsAuthorized();
    }

    public function Logout(): void
    {
        unset($_SESSION['SESS_AUTH']);
        $this->current = null;
    }

    /** @return true|array{MESSAGE: string, TYPE: string} */
    public function Login(string $login, string $password, string $remember = 'N', string $original = 'Y'): bool|array
    {
        $user = Db::row('SELECT * FROM b_user WHERE LOGIN = ? AND ' . self::LOCAL, [$login]);
        if ($user === null || !self::passwordFits($password, (string)$user['PASSWORD'])) {
            if ($user !== null && Db::hasColumn('b_user', 'LOGIN_ATTEMPTS')) {
                Db::run('UPDATE b_user SET LOGIN_ATTEMPTS = COALESCE(LOGIN_ATTEMPTS, 0) + 1 WHERE ID = ?', [$user['ID']]);
            }
            return self::error('Wrong login or password.');
        }
        if ($user['ACTIVE'] !== 'Y' || $user['BLOCKED'] === 'Y') {
            return self::error('The account is not active.');
        }
        if ($user['PASSWORD_EXPIRED'] === 'Y') {
            return self::error('The password has expired.');
        }
        $this->Authorize((int)$user['ID']);
        return true;
    }

    /** @param array<string, scalar|null> $fields LOGIN, PASSWORD, EMAIL, ... GROUP_ID (list of ids) */
    public function Add(array $fields): int|false
    {
        if (!$this->CheckFields($fields, 0)) {
            return false;
        }
        $groups = (array)($fields['GROUP_ID'] ?? []);
        $row = self::prepare($fields) + [
            'ACTIVE' => 'Y',
            'DATE_REGISTER' => date('Y-m-d H:i:s'),
            'LID' => defined('SITE_ID') ? SITE_ID : 's1',
        ];
        $id = Db::insert('b_user', $row);
        foreach (array_unique(array_map('intval', [2, ...$groups])) as $group) {
            Db::run('INSERT IGNORE INTO b_user_group (USER_ID, GROUP_ID) VALUES (?, ?)', [$id, $group]);
        }
        return $id;
    }

    /** @param array<string, scalar|null> $fields */
    public function Update(int $id, array $fields): bool
    {
        if (Db::value('SELECT ID FROM b_user WHERE ID = ?', [$id]) === null) {
            $this->LAST_ERROR = "User $id is not there.";
            return false;
        }
        if (!$this->CheckFields($fields, $id)) {
            return false;
        }
        Db::update('b_user', $id, self::prepare($fields));
        return true;
    }

    /** LOGIN is checked for uniqueness only when it is among the fields (portal_runtime G "Fix").
     * @param array<string, mixed> $fields */
    public function CheckFields(array &$fields, int $id = 0): bool
    {
        $this->LAST_ERROR = '';
        if ($id === 0 && !isset($fields['LOGIN'], $fields['PASSWORD'])) {
            $this->LAST_ERROR = 'Login and password are required.';
        } elseif (array_key_exists('LOGIN', $fields)) {
            $login = trim((string)$fields['LOGIN']);
            $external = (string)($fields['EXTERNAL_AUTH_ID']
                ?? Db::value('SELECT EXTERNAL_AUTH_ID FROM b_user WHERE ID = ?', [$id]) ?? '');
            $same = $external === ''
                ? Db::value('SELECT ID FROM b_user WHERE LOGIN = ? AND ID <> ? AND ' . self::LOCAL, [$login, $id])
                : Db::value('SELECT ID FROM b_user WHERE LOGIN = ? AND ID <> ? AND EXTERNAL_AUTH_ID = ?', [$login, $id, $external]);
            if (mb_strlen($login) < self::LOGIN_LENGTH) {
                $this->LAST_ERROR = 'The login must have at least ' . self::LOGIN_LENGTH . ' characters.';
            } elseif ($same) {
                $this->LAST_ERROR = 'A user with this login is already there.';
            }
        }
        if ($this->LAST_ERROR === '' && isset($fields['PASSWORD']) && mb_strlen((string)$fields['PASSWORD']) < self::PASSWORD_LENGTH) {
            $this->LAST_ERROR = 'The password must have at least ' . self::PASSWORD_LENGTH . ' characters.';
        }
        return $this->LAST_ERROR === '';
    }

    /**
     * One letter USER_PASS_REQUEST to every matching account, at once.
     * @return array{MESSAGE: string, TYPE: string}
     */
    public static function SendPassword(
        string $login,
        string $email,
        string|false $siteId = false,
        string $captchaWord = '',
        string $captchaSid = '',
    ): array {
        if (Option::get('main', 'captcha_restoring_password', 'N') === 'Y') {
            return self::error('The word from the picture is wrong.');
        }
        $matches = [];
        $binds = [];
        foreach (['LOGIN' => trim($login), 'EMAIL' => trim($email)] as $column => $value) {
            if ($value !== '') {
                $matches[] = "$column = ?";
                $binds[] = $value;
            }
        }
        if ($matches === []) {
            return self::error('Give a login or an e-mail address.');
        }
        $active = Db::hasColumn('b_user', 'CONFIRM_CODE') ? "(ACTIVE = 'Y' OR CONFIRM_CODE <> '')" : "ACTIVE = 'Y'";
        $users = Db::rows('SELECT * FROM b_user WHERE (' . implode(' OR ', $matches) . ") AND $active AND " . self::LOCAL, $binds);
        if ($users === []) {
            return self::error('No account with this login or e-mail address.');
        }
        foreach ($users as $user) {
            self::letter('USER_PASS_REQUEST', $user, $siteId ?: SITE_ID, '', true);
        }
        return ['MESSAGE' => 'A letter with the next step is on its way.', 'TYPE' => 'OK'];
    }

    public static function SendUserInfo(
        int $id,
        string $siteId,
        string $message,
        bool $immediate = false,
        string $eventName = 'USER_INFO',
    ): void {
        $user = Db::row('SELECT * FROM b_user WHERE ID = ? AND ' . self::LOCAL, [$id]);
        if ($user !== null) {
            self::letter($eventName, $user, $siteId, $message, $immediate);
        }
    }

    /** @return array{MESSAGE: string, TYPE: string} */
    public static function ChangePassword(
        string $login,
        string $checkword,
        string $password,
        string $confirm,
        string|false $siteId = false,
    ): array {
        $user = Db::row('SELECT * FROM b_user WHERE LOGIN = ? AND ' . self::LOCAL, [$login]);
        if ($user === null) {
            return self::error('No account with this login.');
        }
        $since = strtotime((string)($user['CHECKWORD_TIME'] ?? $user['TIMESTAMP_X'])) ?: 0;
        $hash = (string)$user['CHECKWORD'];
        if ($hash === '' || $checkword === '' || !self::passwordFits($checkword, $hash)) {
            return self::error('The control line is wrong.');
        }
        if ($since + 60 * self::checkwordMinutes((int)$user['ID']) < time()) {
            return self::error('The control line is too old.');
        }
        if ($password !== $confirm) {
            return self::error('The passwords differ.');
        }
        $self = new self();
        if (!$self->Update((int)$user['ID'], ['PASSWORD' => $password])) {
            return self::error($self->LAST_ERROR);
        }
        return ['MESSAGE' => 'The password is changed.', 'TYPE' => 'OK'];
    }

    /** The strictest CHECKWORD_TIMEOUT of the user's groups, in minutes. */
    private static function checkwordMinutes(int $id): int
    {
        $minutes = self::CHECKWORD_MINUTES;
        foreach (self::GetUserGroup($id) as $group) {
            $text = (string)Db::value('SELECT SECURITY_POLICY FROM b_group WHERE ID = ?', [$group]);
            $policy = $text === '' ? [] : @unserialize($text, ['allowed_classes' => false]);
            if (is_array($policy) && (int)($policy['CHECKWORD_TIMEOUT'] ?? 0) > 0) {
                $minutes = min($minutes, (int)$policy['CHECKWORD_TIMEOUT']);
            }
        }
        return $minutes;
    }

    /** @param array<string, mixed> $user */
    private static function letter(string $event, array $user, string $siteId, string $message, bool $immediate): void
    {
        $checkword = bin2hex(random_bytes(16));
        Db::update('b_user', (int)$user['ID'], [
            'CHECKWORD' => self::hash($checkword),
            'CHECKWORD_TIME' => date('Y-m-d H:i:s'),
            'TIMESTAMP_X' => date('Y-m-d H:i:s'),
        ]);
        $fields = [
            'USER_ID' => $user['ID'],
            'STATUS' => $user['ACTIVE'] === 'Y' ? 'active' : 'not active',
            'MESSAGE' => $message,
            'LOGIN' => $user['LOGIN'],
            'URL_LOGIN' => rawurlencode((string)$user['LOGIN']),
            'CHECKWORD' => $checkword,
            'NAME' => $user['NAME'],
            'LAST_NAME' => $user['LAST_NAME'],
            'EMAIL' => $user['EMAIL'],
        ];
        if ($immediate) {
            CEvent::SendImmediate($event, $siteId, $fields);
        } else {
            CEvent::Send($event, $siteId, $fields);
        }
    }

    /**
     * @param array<string, mixed> $fields
     * @return array<string, mixed>
     */
    private static function prepare(array $fields): array
    {
        unset($fields['ID'], $fields['GROUP_ID'], $fields['CONFIRM_PASSWORD']);
        if (isset($fields['PASSWORD'])) {
            $fields['PASSWORD'] = self::hash((string)$fields['PASSWORD']);
            $fields['CHECKWORD'] = null;
        }
        $fields['TIMESTAMP_X'] = date('Y-m-d H:i:s');
        return $fields;
    }

    private static function hash(string $secret): string
    {
        return crypt($secret, '$6$' . bin2hex(random_bytes(8)) . '$');
    }

    private static function passwordFits(string $password, string $hash): bool
    {
        return str_starts_with($hash, '$6$') && hash_equals($hash, crypt($password, $hash));
    }

    /** @return array{MESSAGE: string, TYPE: string} */
    private static function error(string $message): array
    {
        return ['MESSAGE' => $message, 'TYPE' => 'ERROR'];
    }
}
