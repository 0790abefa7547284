<?php
// Closed to the web; the bootstrap is include/prolog_before.php.
