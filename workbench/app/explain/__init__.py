"""Why a run sees what it sees, for one image and for many."""
