<?php
namespace Bitrix\Rest;

use Bitrix\Main\Config\Option;

/** Registration with the vendor's OAuth service (portal_runtime H, J4). The lab has none: it fails as without internet. */
final class OAuthService
{
    private const SERVICE = 'https://oauth.bitrix.info/';
    private const SECONDS = 5;

    public static function register(): void
    {
        $context = stream_context_create(['http' => ['method' => 'POST', 'timeout' => self::SECONDS]]);
        $data = json_decode((string)@file_get_contents(self::SERVICE, false, $context), true);
        if (!is_array($data) || empty($data['client_id'])) {
            throw new \RuntimeException('the OAuth service does not answer');
        }
        Option::set('rest', 'service_client_id', (string)$data['client_id']);
        Option::set('rest', 'service_client_secret', (string)($data['client_secret'] ?? ''));
    }
}
