from attemptlog.runtime.rate import TokenBuckets


def test_a_full_bucket_gives_its_burst_and_then_its_rate() -> None:
    buckets = TokenBuckets(rate=10, burst=100)
    assert buckets.wait_before("ada", 100, now=0.0) == 0
    assert buckets.wait_before("ada", 10, now=0.0) == 1.0
    assert buckets.wait_before("ada", 10, now=1.0) == 0


def test_a_refusal_takes_nothing() -> None:
    buckets = TokenBuckets(rate=10, burst=50)
    assert buckets.wait_before("ada", 40, now=0.0) == 0
    assert buckets.wait_before("ada", 20, now=0.0) == 1.0
    assert buckets.wait_before("ada", 10, now=0.0) == 0


def test_callers_do_not_share_a_bucket() -> None:
    buckets = TokenBuckets(rate=1, burst=50)
    assert buckets.wait_before("ada", 50, now=0.0) == 0
    assert buckets.wait_before("bob", 50, now=0.0) == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    buckets = TokenBuckets(rate=10, burst=50)
    assert buckets.wait_before("ada", 50, now=0.0) == 0
    assert buckets.wait_before("ada", 51, now=1_000.0) > 0
