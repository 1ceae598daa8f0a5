"""Images by what they show: alike, in groups, labelled by their neighbours, and in order."""
