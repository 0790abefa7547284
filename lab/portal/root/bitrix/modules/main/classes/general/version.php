<?php
define('SM_VERSION', '26.0.0'); // no version of the product: one that roles take for new enough
define('SM_VERSION_DATE', '2026-11-22 00:00:00');
