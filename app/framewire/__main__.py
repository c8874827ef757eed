"""`python -m framewire`."""

from framewire.app.main import main

main()
