<?php

use Bitrix\Main\Config\Option;
use Bitrix\Main\Loader;

/** Files in the messenger need pull, the queue server and a converted disk (portal_runtime E4). */
class CIMDisk
{
    public static function Enabled(): bool
    {
        return Loader::includeModule('pull')
            && CPullOptions::GetNginxStatus()
            && Loader::includeModule('disk')
            && Option::get('disk', 'successfully_converted', 'N') === 'Y';
    }
}
