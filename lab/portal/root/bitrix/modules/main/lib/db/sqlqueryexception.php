<?php
namespace Bitrix\Main\DB;

class SqlQueryException extends \RuntimeException
{
}
