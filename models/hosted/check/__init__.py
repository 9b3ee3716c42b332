"""Whether an uploaded model can be served: it is loaded and run in a process of its own, with limits.

`check` is called on a thread; it takes a second or two. Nothing of the file is believed or run in the caller's process.
"""

from models.hosted.check.checked import Asked, Checked, Limits
from models.hosted.check.supervise import check

__all__ = ["Asked", "Checked", "Limits", "check"]
