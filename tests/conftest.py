"""Properties try fewer examples by default; `HYPOTHESIS_PROFILE=thorough make test` looks further."""

import gc
import os

from hypothesis import settings

settings.register_profile("quick", max_examples=40, deadline=None)
settings.register_profile("thorough", max_examples=1_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_collection_finish() -> None:
    """Seldom collect garbage, and never what is imported: it takes an eighth of the time of the core tests."""
    gc.freeze()
    gc.set_threshold(50_000)
