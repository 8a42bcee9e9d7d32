"""From the trained model to a function behind a URL: where each step of notebook 05 lives."""

from facecourse.bundle import build_bundle, bundle_parity

__all__ = ["build_bundle", "bundle_parity"]
