"""Telling people: the log, and by apprise mail, chats and a hundred other channels."""
