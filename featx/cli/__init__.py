"""The command line: arguments in, a job called, its result printed."""
