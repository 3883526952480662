"""Commands killed while they write, and inputs changed while they are read, a few of each."""

from __future__ import annotations

from benchmarks import changed, killed, reliability
from benchmarks.hostile.commands import COMMANDS


def test_a_kill_leaves_every_output_old_or_new():
    chosen = [command for command in COMMANDS if command.name == "show, three outputs"]
    found = killed.campaign(10, 0, 1, chosen, rows=300)["show, three outputs"]
    assert found.faults == []
    assert found.kills == found.old + found.new + found.mixed == 10


def test_an_input_that_changes_is_refused_or_read_whole():
    chosen = [reading for reading in changed.READINGS if reading.name == "apply"]
    found = changed.campaign(3, 0, 1, chosen, ("npy",), rows=3000)["apply"]
    assert found.changes == 3
    assert found.faults == []


def test_the_tables_of_the_document_are_those_of_the_counts():
    text = reliability.DOCUMENT.read_text(encoding="utf-8")
    for name, module in (("killed", killed), ("changed", changed)):
        found = reliability.stored()[name]
        body = module.CAMPAIGN.render(found["commands"], found["seed"])
        assert reliability.between(text, name, body) == text
        assert sum(len(tally["faults"]) for tally in found["commands"].values()) == 0
    assert sum(one["kills"] for one in reliability.stored()["killed"]["commands"].values()) >= 200
