<?php
namespace Boxlift\Standin;

use Bitrix\Main\Config\Option;

/** One mail event made into letters by the templates of its site (portal_runtime G "Templates", "Delivery"). */
final class Letters
{
    /** @param array<string, scalar|null> $fields */
    public static function send(string $event, string $lid, array $fields): string
    {
        $templates = Db::rows('SELECT m.EMAIL_FROM, m.EMAIL_TO, m.SUBJECT, m.MESSAGE, m.BODY_TYPE FROM b_event_message m'
            . ' JOIN b_event_message_site s ON s.EVENT_MESSAGE_ID = m.ID AND s.SITE_ID = ?'
            . " WHERE m.EVENT_NAME = ? AND m.ACTIVE = 'Y' ORDER BY m.ID", [$lid, $event]);
        if ($templates === []) {
            return \CEvent::SEND_RESULT_TEMPLATE_NOT_FOUND;
        }
        $values = [...self::siteFields($lid), ...$fields];
        $sent = 0;
        foreach ($templates as $template) {
            $sent += self::one($event, $template, $values) ? 1 : 0;
        }
        return $sent === count($templates) ? \CEvent::SEND_RESULT_SUCCESS : \CEvent::SEND_RESULT_ERROR;
    }

    /**
     * @param array<string, string|null> $template
     * @param array<string, scalar|null> $values
     */
    private static function one(string $event, array $template, array $values): bool
    {
        $to = self::fill((string)$template['EMAIL_TO'], $values);
        if (!filter_var($to, FILTER_VALIDATE_EMAIL)) {
            return false;
        }
        if (defined('ONLY_EMAIL') && $to !== ONLY_EMAIL) {
            return true;
        }
        $protocol = Option::get('main', 'mail_link_protocol', 'http') ?: 'http';
        $message = str_replace('http://#SERVER_NAME#', $protocol . '://#SERVER_NAME#', (string)$template['MESSAGE']);
        $type = $template['BODY_TYPE'] === 'html' ? 'text/html' : 'text/plain';
        $headers = [
            'From: ' . self::line(self::fill((string)$template['EMAIL_FROM'], $values)),
            'Date: ' . date('r'),
            'MIME-Version: 1.0',
            "Content-Type: $type; charset=UTF-8",
            'Content-Transfer-Encoding: 8bit',
            "X-EVENT_NAME: $event",
        ];
        $subject = '=?UTF-8?B?' . base64_encode(self::line(self::fill((string)$template['SUBJECT'], $values))) . '?=';
        return bxmail($to, $subject, str_replace("\0", '', self::fill($message, $values)), implode("\r\n", $headers));
    }

    /** @return array<string, string> */
    private static function siteFields(string $lid): array
    {
        $site = Db::row('SELECT SERVER_NAME, SITE_NAME, EMAIL FROM b_lang WHERE LID = ?', [$lid]) ?? [];
        return [
            'SERVER_NAME' => ($site['SERVER_NAME'] ?? '') ?: Option::get('main', 'server_name'),
            'SITE_NAME' => ($site['SITE_NAME'] ?? '') ?: Option::get('main', 'site_name'),
            'DEFAULT_EMAIL_FROM' => ($site['EMAIL'] ?? '') ?: Option::get('main', 'email_from'),
        ];
    }

    /** @param array<string, scalar|null> $values */
    private static function fill(string $text, array $values): string
    {
        return preg_replace_callback('/#(\w+)#/', static fn (array $found): string
            => array_key_exists($found[1], $values) ? (string)$values[$found[1]] : '', $text);
    }

    private static function line(string $text): string
    {
        return trim(str_replace(["\r", "\n", "\0"], ' ', $text));
    }
}
