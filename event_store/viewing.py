"""Who looks, told to the database in every transaction: its views show what this viewer may see, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["candidate", "examiner", "operator", "auditor"]

# What the console's role has, and needs.
GRANTS: Mapping[str, str] = {"data_accesses": "INSERT"}

SAY_WHO_LOOKS = """
SELECT
    set_config('attemptlog.viewer_role', %(role)s, true),
    set_config('attemptlog.viewer_id', %(id)s, true),
    set_config('attemptlog.viewer_exams', %(exams)s, true)
"""


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
