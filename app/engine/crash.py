"""The named points at which a test stops the process: see `app.journal.crash`.

claim, plan_stored, applying, committed, applied, outbox_sending, outbox_sent, and append in the journal.
Jobs: job_compiled, job_stored, task_claimed, task_started, task_program, file_made, task_done, task_ended.
"""

from app.journal.crash import CRASHED, crash_point

__all__ = ["CRASHED", "crash_point"]
