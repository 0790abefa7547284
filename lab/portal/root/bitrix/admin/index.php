<?php
require dirname(__DIR__) . '/urlrewrite.php';
