"""One door to the portal's PHP API: a script under the product's own command line bootstrap.

The bootstrap is the one of portal_runtime F4. Code and input travel on standard input, so nothing secret is
on a command line and nothing stays on the host. The script sets ``$result``; it comes back as JSON behind a
mark, as the portal's own code may print.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Arguments that every module with a PHP script takes.
PHP_ARGUMENTS: dict[str, dict[str, Any]] = {
    "root": {"type": "path", "required": True},
    "user": {"type": "str", "default": "portal"},
    "php": {"type": "str", "default": "php"},
}

_SCRIPT = """<?php
$boxlift = json_decode(base64_decode('@INPUT@'), true);
$input = $boxlift['input'];
$result = null;
$boxliftDone = false;
register_shutdown_function(static function () use (&$result, &$boxliftDone) {
    while (ob_get_level() > 0) { ob_end_clean(); }
    $fatal = error_get_last();
    if ($fatal !== null && in_array($fatal['type'], [E_PARSE, E_COMPILE_ERROR], true)) {
        $fatal['message'] .= " in {$fatal['file']}:{$fatal['line']}";
    }
    $error = $boxliftDone ? null : ($fatal['message'] ?? 'the portal ended the script');
    $answer = ['result' => $result, 'error' => $error];
    echo "\\n@MARK@", json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE), "\\n";
});
$_SERVER['DOCUMENT_ROOT'] = $DOCUMENT_ROOT = $boxlift['root'];
foreach ($boxlift['constants'] as $name) { define($name, true); }
set_time_limit(0);
ini_set('memory_limit', '1G');
chdir($boxlift['root']);
ob_start();
require $boxlift['root'] . '/bitrix/modules/main/include/prolog_before.php';
try {
@BODY@
$boxliftDone = true;
} catch (\\Throwable $thrown) {
    $result = null;
    $boxliftDone = false;
    error_clear_last();
    trigger_error($thrown->getMessage(), E_USER_WARNING);
}
\\CMain::FinalActions();
"""

_CONSTANTS = (
    "NO_KEEP_STATISTIC",
    "NOT_CHECK_PERMISSIONS",
    "NO_AGENT_CHECK",
    "BX_WITH_ON_AFTER_EPILOG",
    "BX_NO_ACCELERATOR_RESET",
    "STOP_STATISTICS",
)

_BOOTSTRAP = "bitrix/modules/main/include/prolog_before.php"

#: How the PHP command is started: short tags as the licence key's file wants them (portal_runtime A3).
OPTIONS = ("-d", "short_open_tag=1", "-d", "display_errors=stderr", "-d", "html_errors=0")

#: Seconds after which a script is ended. None works so long: it waits for a lock, or for a silent host.
PATIENCE = 1800
_TIMED_OUT = 124


class PhpError(Exception):
    """The portal's code did not do what was asked."""


def as_user(user: str, command: Sequence[str]) -> list[str]:
    """Return the command as the given user runs it; root steps down, anyone else stays."""
    if os.geteuid() == 0 and pwd.getpwnam(user).pw_uid != 0:
        return ["runuser", "--user", user, "--", *command]
    return list(command)


def script(root: str, body: str, payload: object, constants: Sequence[str] = ()) -> tuple[str, str]:
    """The whole script around some statements, and the mark that its answer stands behind."""
    mark = f"@{secrets.token_hex(12)}@"
    document = {"root": root, "input": payload, "constants": [*_CONSTANTS, *constants]}
    text = (
        _SCRIPT.replace("@MARK@", mark)
        .replace("@INPUT@", base64.b64encode(json.dumps(document).encode()).decode())
        .replace("@BODY@", body)
    )
    return text, mark


def answer(output: str, errors: str, code: int, mark: str) -> Any:
    """What the statements left in ``$result``.

    Raises:
        PhpError: they failed, or PHP ended before they did.
    """
    _, found, tail = output.rpartition(mark)
    if not found:
        said = re.sub(r"<[^>]+>|\s+", " ", output + errors).strip()[-400:]
        raise PhpError(f"PHP ended with {code}: {said or 'without a word'}")
    told = json.loads(tail.strip().splitlines()[0])
    if told["error"] is not None:
        # What led to an error that nobody caught may name arguments, passwords among them.
        raise PhpError(told["error"].partition("\nStack trace:")[0])
    return told["result"]


def run_php(
    module: Any,
    body: str,
    payload: object,
    *,
    constants: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
) -> Any:
    """Run PHP statements inside the portal and return what they left in ``$result``.

    ``module`` is the AnsibleModule (parameters PHP_ARGUMENTS); ``payload`` is ``$input`` there; ``constants``
    are defined as true before the bootstrap; ``pass_fds`` are files the script keeps open, for locks.

    Raises:
        PhpError: no portal in the folder, no end within PATIENCE, or the script failed; its text is then the
            portal's own.
    """
    root = module.params["root"]
    if not (Path(root) / _BOOTSTRAP).is_file():
        raise PhpError(f"{root} holds no portal: {_BOOTSTRAP} is missing")
    text, mark = script(root, body, payload, constants)
    command = as_user(module.params["user"], [module.params["php"], *OPTIONS])
    code, output, errors = module.run_command(
        ["timeout", "--kill-after=30", str(PATIENCE), *command],
        data=text,
        binary_data=False,
        pass_fds=tuple(pass_fds),
    )
    if code == _TIMED_OUT:
        raise PhpError(
            f"the portal's PHP did not end within {PATIENCE} s and was ended; what it may wait for stands in"
            " the database's SHOW FULL PROCESSLIST, or is a host that its settings name"
        )
    return answer(output, errors, code, mark)
