"""What every test of `framewire.common` relies on."""

from hypothesis import settings

# No deadline for one example: a slow machine is no defect. The 60 s of pytest-timeout remain.
settings.register_profile("framewire", deadline=None)
settings.load_profile("framewire")
