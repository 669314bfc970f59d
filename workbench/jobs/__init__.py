"""Jobs: one operation applied to one model, in a worker process with a folder of its own."""
