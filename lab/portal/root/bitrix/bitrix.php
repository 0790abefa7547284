<?php
// The product's command line (portal_runtime B). The stand-in knows no update server: there is never anything newer.
if (PHP_SAPI !== 'cli') {
    http_response_code(404);
    exit;
}
$command = $argv[1] ?? '';
if (!in_array($command, ['update:modules', 'update:versions', 'update:languages'], true)) {
    fwrite(STDERR, "unknown command: $command\n");
    exit(1);
}
echo "There are no updates.\n";
