"""Signals that arrive at any moment are waited for, and never hold the process up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from app.process.signals import SignalInbox

_PATIENT = """
import signal, sys
from app.process.signals import SignalInbox
with SignalInbox(signal.SIGTERM, signal.SIGHUP) as signals:
    print("ready", flush=True)
    heard = 0
    while (number := signals.wait(0.00001)) != signal.SIGTERM:
        if number == signal.SIGHUP:
            heard += 1
            print(heard, flush=True)
print("ended", flush=True)
"""


def test_a_signal_that_comes_between_two_waits_holds_nothing_up() -> None:
    """Each signal meets the process at another step of its wait; a lock that a handler takes there is never let go."""
    with subprocess.Popen([sys.executable, "-c", _PATIENT], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            for number in range(1, 1_001):
                child.send_signal(signal.SIGHUP)
                assert child.stdout.readline() == f"{number}\n"
            child.send_signal(signal.SIGTERM)
            assert child.stdout.readline() == "ended\n"
            assert child.wait(20) == 0
        finally:
            child.kill()


def test_signals_are_told_in_their_order_and_none_means_the_time_is_up() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with SignalInbox(signal.SIGHUP, signal.SIGUSR1) as signals:
        assert signals.wait(0.01) is None
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)
        assert [signals.wait(5), signals.wait(5)] == [signal.SIGUSR1, signal.SIGHUP]
        assert signals.take() is None
    assert signal.getsignal(signal.SIGHUP) is before
