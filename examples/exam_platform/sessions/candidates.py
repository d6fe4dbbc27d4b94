"""Who sits an exam. Names stay in the platform's own tables: events know a candidate by a UUID only."""

from uuid import UUID, uuid4

from psycopg_pool import AsyncConnectionPool

from examples.exam_platform.sessions.models import Candidate
from examples.exam_platform.sessions.problems import Unauthenticated
from examples.exam_platform.sessions.store import Store


class Candidates:
    """The candidates, each of them a guest with a name and no password."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def add(self, name: str) -> Candidate:
        """Make a new candidate: whoever gives the same name again is somebody else."""
        candidate = Candidate(user_id=uuid4(), name=name)
        async with self._pool.connection() as connection, connection.transaction():
            await Store(connection).add_candidate(candidate.user_id, candidate.name)
        return candidate

    async def find(self, user_id: UUID) -> Candidate:
        """Return a candidate; raise Unauthenticated for one that another database knew."""
        async with self._pool.connection() as connection:
            name = await Store(connection).name_of(user_id)
        if name is None:
            raise Unauthenticated("log in again: this candidate is not known here")
        return Candidate(user_id=user_id, name=name)
