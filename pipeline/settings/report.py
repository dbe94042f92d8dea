"""What the report shows."""

from pipeline.settings.base import Section


class ReportSettings(Section):
    """Sizes and limits of the page."""

    title: str
    example_clips: int
    dpi: int
    max_mb: float
