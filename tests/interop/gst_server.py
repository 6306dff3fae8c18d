"""GStreamer's RTSP server with one file at /clip: run by the system's own Python.

python3 gst_server.py FILE h264|h265; prints `ready PORT`.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
path, codec = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( filesrc location={path} ! qtdemux ! {codec}parse ! "
    f"rtp{codec}pay config-interval=-1 name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/clip", factory)
server.attach(None)
print(f"ready {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
