"""Recognising people across hospitals: profiles, and the matcher that does what they say."""
