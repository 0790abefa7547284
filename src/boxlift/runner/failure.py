"""How a failure looks: step, host, task, cause, the log's path and the command to go on with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxlift.errors import ExitCode

_OWN_CODES = frozenset(
    {
        ExitCode.OUR_FAULT,
        ExitCode.PREFLIGHT,
        ExitCode.HOST_FAILED,
        ExitCode.UNREACHABLE,
        ExitCode.REFUSED,
        ExitCode.VERIFICATION_FAILED,
    }
)
_REFUSED = "refused: "
_LINES_OF_OUTPUT = 5


@dataclass(frozen=True)
class Failure:
    """A step's bad end. `cause` may have several lines; the first one says what happened."""

    code: ExitCode
    host: str
    task: str
    cause: str

    def lines(self, step: str, log: str, command: str) -> list[str]:
        """The last lines that a run prints."""
        on = f" on {self.host}" if self.host else ""
        first, *rest = self.cause.splitlines() or ["no cause was told"]
        return [
            f"✗ {step}{on} · {self.task}" if self.task else f"✗ {step}{on}",
            f"  {first}",
            *(f"  {line}" for line in rest),
            f"  next: {command}      log: {log}",
        ]


def cause_of(result: Mapping[str, Any]) -> str:
    """What a module said when it failed, in a few lines."""
    failed_items = [item for item in result.get("results") or [] if _is_bad(item)]
    if failed_items:
        first = failed_items[0]
        label = first.get("_ansible_item_label", first.get("item"))
        prefix = f"{label}: " if isinstance(label, str | int) else ""
        more = f"\nand {len(failed_items) - 1} more items" if len(failed_items) > 1 else ""
        return prefix + cause_of({key: first[key] for key in first if key != "results"}) + more
    if "censored" in result:
        return "the task keeps its output secret"
    message = result.get("msg")
    if isinstance(message, str):
        message = message.removeprefix("Task failed: ")
    lines = [str(line) for line in message] if isinstance(message, list) else str(message or "").splitlines()
    output = str(result.get("stderr") or result.get("module_stderr") or result.get("stdout") or "")
    if not lines or str(message).startswith(("non-zero return code", "MODULE FAILURE", "Module failed")):
        lines += [line for line in output.splitlines() if line.strip()][-_LINES_OF_OUTPUT:]
    return "\n".join(line for line in lines if line.strip()) or "no cause was told"


def code_of(result: Mapping[str, Any]) -> ExitCode | None:
    """The exit code that a failing result asks for: `boxlift_exit`, or a message that starts `refused: `."""
    for part in (*(item for item in result.get("results") or [] if _is_bad(item)), result):
        asked = part.get("boxlift_exit")
        if isinstance(asked, int) and asked in _OWN_CODES:
            return ExitCode(asked)
        message = part.get("msg")
        first = message[0] if isinstance(message, list) and message else message
        if isinstance(first, str) and first.startswith(_REFUSED):
            return ExitCode.REFUSED
    return None


def _is_bad(item: object) -> bool:
    return isinstance(item, Mapping) and bool(item.get("failed") or item.get("unreachable"))
