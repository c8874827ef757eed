"""What both ends of a framewire stream share. Imports neither side."""

__version__ = "0.1.0"
__all__ = ["__version__"]
