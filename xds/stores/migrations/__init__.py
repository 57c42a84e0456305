"""The database's history: one alembic revision per change of its tables, run by ``xds.stores.migrate``."""
