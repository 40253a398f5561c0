"""Process support shared by all programs: flags, user errors, atomic files, the machine."""
