"""Losses and gradients of `allot objective` equal those of TRL, called as it is installed."""

import library_losses


def test_losses_are_those_of_trl():
    library_losses.check("trl")
