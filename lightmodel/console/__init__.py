"""The console: a front end in a browser, for people who use no terminal.

It knows the service by its address and key. `app` is what a server runs; Streamlit runs `script` for each
session, and again after each action of the user.
"""
