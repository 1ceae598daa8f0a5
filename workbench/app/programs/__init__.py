"""The learning program and the weights it starts from: started, heard, asked and told to stop."""
