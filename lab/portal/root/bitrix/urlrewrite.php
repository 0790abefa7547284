<?php
// The web server sends here every address that is no file (portal_runtime A5).
require_once __DIR__ . '/modules/main/include/prolog_before.php';
\Boxlift\Standin\Router::serve();
CMain::FinalActions();
