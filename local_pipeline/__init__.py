"""The whole pipeline on this machine: gateway, consumer and example platform on a local stack."""

from attemptlog.runtime.extras import require

require("local", __name__)
