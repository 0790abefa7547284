<?php
// Entry of the unpacked distribution; the wizard's last step puts the public start page in its place.
require __DIR__ . '/bitrix/modules/main/install/wizard/wizard.php';
