"""Protocol of the learning program: folders, control, reports and failures."""
