"""Tickets belong to one session, and change with what they allow."""

from lightmodel.config import ConsoleSection
from lightmodel.console.files.exchange import FileExchange, Ticket, owner_of


def test_a_session_keeps_its_ticket_until_its_key_changes(settings: ConsoleSection) -> None:
    exchange = FileExchange(settings)
    state: dict[str, object] = {}
    owner = owner_of(state)
    assert owner_of(state) == owner
    first = exchange.issue(state, Ticket(owner, "predict", ""))
    assert exchange.issue(state, Ticket(owner, "predict", "")) == first
    second = exchange.issue(state, Ticket(owner, "predict", "typed"))
    assert second != first
    assert exchange.ticket(first) is None
    assert exchange.ticket(second) == Ticket(owner, "predict", "typed")
    exchange.answers.close()


def test_sessions_have_tickets_of_their_own(settings: ConsoleSection) -> None:
    exchange = FileExchange(settings)
    states: list[dict[str, object]] = [{}, {}]
    names = {exchange.issue(state, Ticket(owner_of(state), "feedback", "")) for state in states}
    assert len(names) == 2
    exchange.answers.close()
