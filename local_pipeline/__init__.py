"""The whole pipeline on this machine: gateway, consumer and example platform on a local stack."""
