"""`python -m framewire`."""

from framewire.app.program import main

main()
