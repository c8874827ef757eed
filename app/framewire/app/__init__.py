"""What ties both sides together: the command line, and the commands that need both."""
