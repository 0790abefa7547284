<?php
namespace Boxlift\Standin;

/** Answers: HTML with stable ids and data attributes, or the same facts as JSON. */
final class Page
{
    public static function wantsJson(): bool
    {
        return str_contains((string)($_SERVER['HTTP_ACCEPT'] ?? ''), 'application/json');
    }

    /** @param array<string, mixed> $facts what the JSON variant says */
    public static function show(string $id, string $title, string $html, array $facts, int $status = 200): void
    {
        global $USER;
        http_response_code($status);
        $edition = Kernel::isCloud() ? 'cloud' : 'box';
        if (self::wantsJson()) {
            header('Content-Type: application/json; charset=UTF-8');
            echo json_encode(['page' => $id, 'edition' => $edition, 'user' => $USER?->GetID()] + $facts,
                JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE);
            return;
        }
        header('Content-Type: text/html; charset=UTF-8');
        $name = htmlspecialcharsbx($USER?->IsAuthorized() ? $USER->GetFullName() : '');
        echo '<!doctype html><html><head><meta charset="UTF-8"><title>' . htmlspecialcharsbx($title) . '</title></head>'
            . "<body id=\"page-$id\" data-edition=\"$edition\" data-user-id=\"" . (int)$USER?->GetID() . '">'
            . "<header><span id=\"user-name\">$name</span></header><main>$html</main></body></html>";
    }

    public static function problem(int $status, string $code, string $message): void
    {
        self::show('error', $message, '<p id="error" data-code="' . htmlspecialcharsbx($code) . '">'
            . htmlspecialcharsbx($message) . '</p>', ['error' => $code, 'message' => $message], $status);
    }

    /** After a form: another page for people, the outcome for programs. @param array<string, mixed> $facts */
    public static function done(string $location, array $facts): void
    {
        if (self::wantsJson()) {
            self::show('done', 'Done', '', $facts);
            return;
        }
        header("Location: $location", true, 302);
    }

    public static function isPost(): bool
    {
        return ($_SERVER['REQUEST_METHOD'] ?? 'GET') === 'POST';
    }

    public static function field(string $name, string $default = ''): string
    {
        $value = $_POST[$name] ?? $_GET[$name] ?? $default;
        return is_string($value) ? $value : $default;
    }

    /** Text with the simplest BB codes and with links that carry the portal's host. */
    public static function text(string $text): string
    {
        $safe = htmlspecialcharsbx($text);
        $safe = preg_replace('~\[(/?)(b|i|u|s)\]~i', '<$1$2>', $safe);
        $safe = preg_replace_callback('~\[url=([^\]]+)\](.*?)\[/url\]~is', static fn (array $found): string
            => '<a href="' . htmlspecialcharsbx(Links::absolute(htmlspecialchars_decode($found[1]))) . "\">$found[2]</a>", $safe);
        return nl2br($safe);
    }
}
