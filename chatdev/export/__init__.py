"""A whole run as one HTML page: no script, nothing loaded from elsewhere, everything that models said shown as text."""

from __future__ import annotations

from chatdev.export.page import page

__all__ = ["page"]
