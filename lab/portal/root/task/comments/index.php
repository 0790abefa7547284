<?php
// The public file behind /task/comments/<task>/: without it the address is not found (portal_runtime J4).
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/urlrewrite.php';
