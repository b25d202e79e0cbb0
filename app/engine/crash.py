"""The named points at which a test stops the process: see `app.journal.crash`.

claim, plan_stored, applying, committed, applied, outbox_sending, outbox_sent, and append in the journal.
"""

from app.journal.crash import CRASHED, crash_point

__all__ = ["CRASHED", "crash_point"]
