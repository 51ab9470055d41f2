"""Studies that are paused: a mark beside what is kept of a study, which outlives whoever was computing it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from landscape.study.user_files import content_of

MARK = ".paused"


def pause(kept: Path, fraction: float) -> None:
    """Mark a study as paused, of which so much is done. `kept` is the folder of its outcomes.

    Where that cannot be written to, nothing of the study is kept either, so that there is nothing to go on from.
    """
    with contextlib.suppress(OSError):
        kept.mkdir(parents=True, exist_ok=True)
        (kept / MARK).write_text(f"{fraction:.4f}")


def paused_at(kept: Path) -> float | None:
    """How much of a paused study is done, from 0 to 1; None for one that is not paused.

    Example:
      >>> from pathlib import Path
      >>> from landscape.store.parts.pauses import pause, paused_at
      >>> pause(Path("kept"), 0.25)
      >>> paused_at(Path("kept")), paused_at(Path("nothing"))
      (0.25, None)
    """
    try:
        fraction = float(content_of(kept / MARK))
    except OSError:
        return None
    except ValueError:
        return 0.0
    return fraction if 0 <= fraction <= 1 else 0.0


def go_on(kept: Path) -> None:
    """Take the mark away: somebody computes the study again."""
    with contextlib.suppress(OSError):
        (kept / MARK).unlink(missing_ok=True)
