"""One module for each thing a user does; owns jobs and history."""
