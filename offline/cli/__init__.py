"""The command line of the trainer: one file a verb."""

from offline.cli.main import main as main
