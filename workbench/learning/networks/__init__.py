"""Networks: how they are built, what their layers are called, and the weights they take up."""
