"""What the API says, field by field as the pages read it (pages/src/api/types.ts): a test compares the two."""

from pydantic import BaseModel

from attemptlog.event_store.viewing import Role


class Me(BaseModel):
    """GET /api/me."""

    user_id: str
    role: Role
    exams: list[str]
    platform_url: str | None
