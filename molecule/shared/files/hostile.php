<?php
// What the code of a portal may do at its worst, for the lab alone: every target is a sink of the lab, every loop is short.
// hostile_outreach() is an agent. It does what the product does with the rows of its tables, and heeds what is off there.
// hostile_code() heeds nothing: code of a project's own that reaches out on each request.

const HOSTILE_HOOKS = 'http://hooks.vendor.example';
const HOSTILE_SECONDS = 2;
const HOSTILE_ROWS = 3;

/** @return list<array<string, mixed>> */
function hostile_rows(string $table, string $condition): array
{
    return \Boxlift\Standin\Db::hasTable($table)
        ? \Boxlift\Standin\Db::rows("SELECT * FROM `$table` WHERE $condition LIMIT " . HOSTILE_ROWS)
        : [];
}

function hostile_post(mixed $url, string $what): void
{
    \Boxlift\Standin\Http::post((string)$url, "hostile=$what", ["X-Hostile: $what"], HOSTILE_SECONDS);
}

/** @return array<string, mixed> */
function hostile_settings(mixed $text): array
{
    $settings = @unserialize((string)$text, ['allowed_classes' => false]);
    return is_array($settings) ? $settings : [];
}

function hostile_datagram(string $host, int $port): void
{
    $stream = @stream_socket_client("udp://$host:$port", $number, $text, HOSTILE_SECONDS);
    if ($stream !== false) {
        @fwrite($stream, "REGISTER sip:$host SIP/2.0\r\n\r\n");
        fclose($stream);
    }
}

function hostile_outreach(): string
{
    foreach (hostile_rows('b_sale_pay_system_action', "ACTIVE = 'Y'") as $row) {
        hostile_post(hostile_settings($row['PARAMS'])['URL'] ?? '', 'payment');
    }
    foreach (hostile_rows('b_sale_cashbox', "ACTIVE = 'Y'") as $row) {
        hostile_post(hostile_settings($row['SETTINGS'])['AUTH']['URL'] ?? '', 'receipt');
    }
    foreach (hostile_rows('b_voximplant_sip', 'TRUE') as $row) {
        [$host, $port] = explode(':', $row['SERVER'] . ':5060');
        hostile_datagram($host, (int)$port);
        \Boxlift\Standin\Http::touch($host, (int)$port, HOSTILE_SECONDS);
    }
    foreach (hostile_rows('b_ldap_server', "ACTIVE = 'Y' AND SYNC = 'Y'") as $row) {
        \Boxlift\Standin\Http::touch((string)$row['SERVER'], (int)$row['PORT'], HOSTILE_SECONDS);
    }
    foreach (hostile_rows('b_imconnectors_status', "ACTIVE = 'Y'") as $row) {
        hostile_post(hostile_settings($row['DATA'])['webhook'] ?? '', 'messenger');
    }
    foreach (hostile_rows('b_rest_integration', 'TRUE') as $row) {
        hostile_post($row['OUTGOING_HANDLER_URL'], 'integration');
    }
    foreach (hostile_rows('b_main_mail_sender', "OPTIONS LIKE '%smtp%'") as $row) {
        $smtp = hostile_settings($row['OPTIONS'])['smtp'] ?? [];
        if (isset($smtp['server'])) {
            \Boxlift\Standin\Smtp::send(['host' => $smtp['server']] + $smtp, 'client@example.test', 'Hostile', 'x', '');
        }
    }
    $tables = [
        'b_rest_ap' => ["ACTIVE = 'Y'", 'token'],
        'b_rest_event_offline' => ['TRUE', 'event'],
        'b_pull_push' => ['TRUE', 'phone'],
        'b_calendar_push' => ['TRUE', 'calendar'],
        'b_transformer_command' => ['STATUS = 100', 'conversion'],
        'b_socialservices_user' => ["COALESCE(OATOKEN, '') <> ''", 'network'],
        'b_user_stored_auth' => ['TRUE', 'login'],
    ];
    foreach ($tables as $table => [$condition, $what]) {
        foreach (hostile_rows($table, $condition) as $ignored) {
            hostile_post(HOSTILE_HOOKS . "/$what/", $what);
        }
    }
    return 'hostile_outreach();';
}

function hostile_code(): void
{
    hostile_post(HOSTILE_HOOKS . '/code/', 'code');
    foreach ([25, 465, 587] as $port) {
        \Boxlift\Standin\Http::touch('mail.acme.example', $port, HOSTILE_SECONDS);
    }
    \Boxlift\Standin\Http::touch('mail.acme.example', 993, HOSTILE_SECONDS);
    \Boxlift\Standin\Http::touch('sip.vendor.example', 5060, HOSTILE_SECONDS);
    hostile_datagram('sip.vendor.example', 5060);
    mail('client@example.test', 'Hostile code', 'A letter that heeds no setting.', 'From: hostile@acme.example');
}

if (is_file(__DIR__ . '/hostile.on')) {
    hostile_code();
}
