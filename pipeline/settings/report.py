"""What the report shows."""

from pipeline.settings.base import Count, Number, Positive, Section


class ReportSettings(Section):
    """Sizes and limits of the page."""

    title: str
    example_clips: Number
    dpi: Count
    max_mb: Positive
