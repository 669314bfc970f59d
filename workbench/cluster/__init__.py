"""More than one machine: Ray clusters as places to run jobs, and work that is spread over them."""
