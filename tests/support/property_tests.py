"""How many examples a property test tries, and that they are the same in every run.

What has nothing to do with a fault passes or fails as it did before. New examples are tried by hand:
ATTEMPTLOG_FUZZ_EXAMPLES=5000 tries so many of them per test, and a failure prints how to have it again. Long runs need
`pytest --timeout=0`.
"""

import os

from hypothesis import HealthCheck, settings

BY_HAND = os.environ.get("ATTEMPTLOG_FUZZ_EXAMPLES")
USUAL = 100  # of a test that does not say how many, as hypothesis does


def examples(number: int) -> settings:
    """Return the decorator for a property test that tries so many examples."""
    return settings(max_examples=int(BY_HAND or number))


def load_profile() -> None:
    """Have all property tests of this process take their time: a machine that is busy is no fault of theirs."""
    settings.register_profile(
        "attemptlog",
        max_examples=int(BY_HAND or USUAL),
        derandomize=not BY_HAND,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    settings.load_profile("attemptlog")
