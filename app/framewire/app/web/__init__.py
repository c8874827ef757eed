"""The web viewer: live cameras in a browser, and JPEG streams for anything that speaks HTTP."""
