<?php
namespace Bitrix\Main\DB;

class ConnectionException extends \RuntimeException
{
}
