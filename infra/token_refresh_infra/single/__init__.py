"""`mode = "single"`: one worker for one token secret."""
