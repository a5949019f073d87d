"""Pages for a browser: plain HTML, CSS and ES modules as they are, the words in two languages.

Nothing here knows of requests: badges/api/pages.py answers them.
"""
