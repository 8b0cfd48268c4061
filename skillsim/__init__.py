"""Noisy skill fields in, a governed skills table out.

`from skillsim import Normaliser, similarity` for one machine; `skillsim.spark` for the job. Importing this package
loads neither pyspark nor torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skillsim.normaliser import Normaliser, similarity

__version__ = "0.1.0"
__all__ = ["Normaliser", "__version__", "similarity"]


def __getattr__(name: str) -> Any:
    if name in ("Normaliser", "similarity"):
        from skillsim import normaliser

        return getattr(normaliser, name)
    raise AttributeError(f"module 'skillsim' has no attribute '{name}'")
