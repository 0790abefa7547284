<?php
namespace Boxlift\Standin;

/** The letter over the mailbox of .settings smtp; encryption_type smtps speaks TLS from the start. */
final class Smtp
{
    private const SECONDS = 10;

    /** @param array<string, mixed> $settings host, port, login, password, from, encryption_type */
    public static function send(array $settings, string $to, string $subject, string $message, string $headers): bool
    {
        $scheme = ($settings['encryption_type'] ?? '') === 'smtps' ? 'tls' : 'tcp';
        $address = "$scheme://{$settings['host']}:" . ($settings['port'] ?? 25);
        $stream = @stream_socket_client($address, $number, $text, self::SECONDS);
        if ($stream === false) {
            error_log("smtp: $address: $text");
            return false;
        }
        stream_set_timeout($stream, self::SECONDS);
        $from = (string)($settings['from'] ?? $settings['login']);
        $body = preg_replace('/^\./m', '..', str_replace(["\r\n", "\n"], ["\n", "\r\n"], $message));
        $lines = [
            [null, '220'],
            ['EHLO ' . (gethostname() ?: 'localhost'), '250'],
            ['AUTH PLAIN ' . base64_encode("\0{$settings['login']}\0" . ($settings['password'] ?? '')), '235'],
            ["MAIL FROM:<$from>", '250'],
            ["RCPT TO:<$to>", '250'],
            ['DATA', '354'],
            ["To: $to\r\nSubject: $subject\r\n" . $headers . "\r\n\r\n$body\r\n.", '250'],
            ['QUIT', '221'],
        ];
        foreach ($lines as [$line, $expected]) {
            if ($line !== null) {
                fwrite($stream, $line . "\r\n");
            }
            do {
                $answer = (string)fgets($stream, 1024);
            } while (isset($answer[3]) && $answer[3] === '-');
            if (!str_starts_with($answer, $expected)) {
                error_log('smtp: answer ' . trim($answer));
                fclose($stream);
                return false;
            }
        }
        fclose($stream);
        return true;
    }
}
