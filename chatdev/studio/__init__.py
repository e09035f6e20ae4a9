"""The studio: the web page of the house, a reader of the journal.

It listens on 127.0.0.1 only, reads what runs write, and writes three things: letters into a run's inbox, company files
that a person edits, and nothing else. Runs are started, resumed and forked as processes of the command line.
"""
