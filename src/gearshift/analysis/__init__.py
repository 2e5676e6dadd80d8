"""What can be said about a program without running it: shapes and values at a gear, memory."""
