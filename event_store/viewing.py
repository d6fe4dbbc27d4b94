"""Who looks, told to the database in every transaction: its views show what this viewer may see, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["candidate", "examiner", "operator", "auditor"]

# What the console's role has, and needs.
GRANTS: Mapping[str, str] = {
    "readable_sessions": "SELECT",
    "readable_session_letters": "SELECT",
    "readable_session_titles": "SELECT",
    "readable_timeline": "SELECT",
    "readable_logs": "SELECT",
    "readable_visits": "SELECT",
    "readable_absences": "SELECT",
    "readable_answers": "SELECT",
    "readable_questions": "SELECT",
    "readable_indicators": "SELECT",
    "readable_streams": "SELECT",
    "readable_session_figures": "SELECT",
    "readable_question_figures": "SELECT",
    "readable_session_moves": "SELECT",
    "readable_figures_due": "SELECT",
    "readable_figures_progress": "SELECT",
    "readable_exam_questions": "SELECT",
    "readable_exam_titles": "SELECT",
    "readable_question_titles": "SELECT",
    "readable_answer_keys": "SELECT",
    "readable_groups": "SELECT",
    "readable_accesses": "SELECT",
    "readable_ledger": "SELECT",
    "readable_letters": "SELECT",
    "data_accesses": "INSERT",
    "suppressions": "SELECT",
    "suppression_key": "SELECT",
}

SAY_WHO_LOOKS = """
SELECT
    set_config('attemptlog.viewer_role', %(role)s, true),
    set_config('attemptlog.viewer_id', %(id)s, true),
    set_config('attemptlog.viewer_exams', %(exams)s, true)
"""


# The owner's commands read everything anyway.
AS_AUDITOR = "SELECT set_config('attemptlog.viewer_role', 'auditor', true)"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: UUIDs as text in lower case. `exams` are those of an examiner, empty for all others."""

    user_id: str
    role: Role
    exams: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        """Those of SAY_WHO_LOOKS."""
        return {"role": self.role, "id": self.user_id, "exams": f"{{{','.join(self.exams)}}}"}
