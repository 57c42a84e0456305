"""Facts of the Technical Framework as data: identifiers, codes, stored queries. Nothing here computes."""
