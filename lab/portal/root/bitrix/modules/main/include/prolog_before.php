<?php
// The bootstrap that scripts and pages require (portal_runtime F4).
if (defined('B_PROLOG_INCLUDED')) {
    return;
}
define('B_PROLOG_INCLUDED', true);
require_once __DIR__ . '/../start.php';
\Boxlift\Standin\Kernel::prolog();
