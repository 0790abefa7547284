<?php
require $_SERVER['DOCUMENT_ROOT'] . '/bitrix/urlrewrite.php';
