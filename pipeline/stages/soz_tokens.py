"""Tokens of one shard: log energy of each channel, clip, band and second by wavelet packets (spec soz.md, section 2).

In: the shard's signals, clips, contacts and recordings. Out: the token store, and what each of its rows is.
"""

from pathlib import Path

from pipeline.features._soz_store import TokenError, TokenJob, sources_of, write_tokens
from pipeline.settings.base import Section, SettingsError, parse_settings
from pipeline.settings.soz_data import SozClips, SozTokens
from pipeline.stages import command
from pipeline.store import read_table, reading_store


class Settings(Section):
    """Sections of config.yaml that this stage uses."""

    tokens: SozTokens
    clips: SozClips  # length_s and margin_s
    rate_hz: int  # reading.rate_hz


def job_of(settings: Settings) -> TokenJob:
    """Lengths in samples. Raises SettingsError where a clip, a margin or a frame is no whole number of coefficients."""
    tokens, clips, bands = settings.tokens, settings.clips, 1 << settings.tokens.level
    length, margin = round(clips.length_s * settings.rate_hz), round(clips.margin_s * settings.rate_hz)
    frame = tokens.frame_s * settings.rate_hz
    if length % frame or frame % bands or margin % bands:
        raise SettingsError(
            f"clips.length_s: {clips.length_s}, clips.margin_s: {clips.margin_s}, reading.rate_hz: {settings.rate_hz}: "
            f"a frame and a margin have to be multiples of {bands} samples, a clip one of frames"
        )
    return TokenJob(tokens, settings.rate_hz, length, margin)


def main() -> None:
    """Read, compute, write."""
    parser = command.parser(__doc__)
    for name in ("signals", "clips", "contacts", "recordings", "tokens", "rows"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    log = command.start(arguments)
    settings = parse_settings(Settings, arguments.settings)
    job = job_of(settings)
    clips, contacts, recordings = (
        read_table(path) for path in (arguments.clips, arguments.contacts, arguments.recordings)
    )
    try:
        with reading_store(arguments.signals) as signals:
            sources = sources_of(signals, clips, contacts, recordings, settings.tokens)
            total, valid = write_tokens(arguments.tokens, arguments.rows, clips, sources, job)
    except TokenError as error:
        raise command.StageError(str(error)) from None
    log.info("%d clips, %d rows, %d of them flat or silent", len(clips), total, total - valid)


if __name__ == "__main__":
    command.run(main)
