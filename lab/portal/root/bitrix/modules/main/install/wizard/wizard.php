<?php
// The gate of the unpacked distribution: the wizard while table b_user is absent, else the portal (portal_runtime B).
$_SERVER['DOCUMENT_ROOT'] = $_SERVER['DOCUMENT_ROOT'] ?: dirname(__DIR__, 5);
require_once dirname(__DIR__, 2) . '/start.php';

if (\Boxlift\Standin\Wizard::isInstalled()) {
    require dirname(__DIR__, 4) . '/urlrewrite.php';
} else {
    (new \Boxlift\Standin\Wizard())->answer();
}
