"""What runs predicted, read as tables, compared, made anew and taken elsewhere."""
