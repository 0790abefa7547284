<?php
require __DIR__ . '/bitrix/urlrewrite.php';
