"""What is told before a training begins: the memory and the time that it takes, and good settings."""
