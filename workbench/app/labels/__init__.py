"""Labels given by hand or from files, and counted."""
