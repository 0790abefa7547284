<?php
namespace Boxlift\Standin;

final class Http
{
    /**
     * @param list<string> $headers
     * @return string|null reason of a failure
     */
    public static function post(string $url, string $body, array $headers, float $seconds): ?string
    {
        if (!preg_match('~^https?://~', $url)) {
            return 'no address to send to';
        }
        $context = stream_context_create(['http' => [
            'method' => 'POST',
            'header' => implode("\r\n", $headers),
            'content' => $body,
            'timeout' => $seconds,
            'ignore_errors' => true,
        ]]);
        $http_response_header = [];
        $answer = @file_get_contents($url, false, $context);
        if ($answer === false) {
            $reason = error_get_last()['message'] ?? 'no answer';
        } else {
            $status = explode(' ', $http_response_header[0] ?? '')[1] ?? '';
            $reason = str_starts_with($status, '2') ? null : "status $status";
        }
        if ($reason !== null) {
            error_log("post $url: $reason");
        }
        return $reason;
    }

    /** Opens and closes a TCP connection, as a poller does that finds nothing new. */
    public static function touch(string $host, int $port, float $seconds): bool
    {
        $stream = @stream_socket_client("tcp://$host:$port", $number, $text, $seconds);
        if ($stream === false) {
            error_log("connect $host:$port: $text");
            return false;
        }
        fclose($stream);
        return true;
    }
}
