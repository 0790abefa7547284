<?php
define('SM_VERSION', '0.0.1');
define('SM_VERSION_DATE', '2026-11-22 00:00:00');
