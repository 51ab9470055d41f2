"""What is computed now: how far each study is, why one failed, and its end, its pause or its going on."""

from __future__ import annotations

from pages.shared import own_actions, own_jobs

own_actions.tell()
own_jobs.watch_all()
