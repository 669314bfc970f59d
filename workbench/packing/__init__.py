"""What leaves this computer in files of its own: archives, the code of packages, what is installed here."""
