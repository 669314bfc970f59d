"""Hands a job over to other machines: a script, a bundle that brings everything, for Slurm, a notebook."""
