"""File descriptors: how many this process may have."""

__all__ = ["most_descriptors"]

_UNLIMITED = 1 << 20

try:
    import resource
except ImportError:  # Windows counts handles, and has plenty

    def most_descriptors() -> int:
        """The soft limit of this process."""
        return _UNLIMITED

else:

    def most_descriptors() -> int:
        """The soft limit of this process."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return _UNLIMITED if soft == resource.RLIM_INFINITY else soft
