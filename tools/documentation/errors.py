"""What can be wrong with a page."""


class DocumentationError(ValueError):
    """A page cannot be filled; the message names the page or file and what would be right."""
