"""SIGTERM and SIGHUP end a run in the same orderly way as Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def _raise(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Inside, both signals raise KeyboardInterrupt in the main thread; in another it changes nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # what nohup ignores stays ignored
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _raise) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
