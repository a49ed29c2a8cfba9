"""What is kept on disk: run folders, steps, arrays. Written atomically, named by content."""
