"""Losses and gradients of `allot objective` equal those of verl, called as it is installed."""

import library_losses


def test_losses_are_those_of_verl():
    library_losses.check("verl")
