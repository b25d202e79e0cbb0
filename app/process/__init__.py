"""The one wrapper of external programs: argument lists, time-outs, cancel, typed outcomes."""

from app.process.children import python_child
from app.process.run import Cancelled, NoProgress, Outcome, ProgramFailed, ProgramMissing, run_program

__all__ = ["Cancelled", "NoProgress", "Outcome", "ProgramFailed", "ProgramMissing", "python_child", "run_program"]
