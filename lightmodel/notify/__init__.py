"""Notifications of events through apprise: to mail, Slack, Teams, Telegram, webhooks and more."""
