"""What a user does, a package for each kind of deed; owns jobs and history."""
