"""Application layer: user commands, jobs, undo history; the only writer of projects."""
