"""GStreamer's RTSP server with an endless live picture and sound, run by the system's Python.

python3 ingest_gst.py h264|h265 aac|pcma|opus none|basic|digest [certificate.pem]; prints
`ready PORT`. The picture is at /live.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

VIDEO = {
    "h264": "x264enc tune=zerolatency key-int-max=10 bitrate=800 ! rtph264pay config-interval=-1",
    "h265": "x265enc tune=zerolatency key-int-max=10 bitrate=800 ! h265parse "
    "! rtph265pay config-interval=-1",
}
AUDIO = {
    "aac": "voaacenc ! aacparse ! rtpmp4gpay",
    "pcma": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay",
    "opus": "opusenc ! rtpopuspay",
}
Gst.init(None)
video, audio, sign_in, *certificate = sys.argv[1:]
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=640,height=360,framerate=25/1 "
    f"! {VIDEO[video]} name=pay0 pt=96 audiotestsrc is-live=true ! audioconvert ! audioresample "
    f"! {AUDIO[audio]} name=pay1 pt=97 )"
)
auth = GstRtspServer.RTSPAuth()
token = GstRtspServer.RTSPToken()
token.set_string("media.factory.role", "user")
if sign_in == "none":
    auth.set_default_token(token)
elif sign_in == "basic":
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic("admin", "secret"), token)
else:
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest("admin", "secret", token)
if certificate:
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate[0]))
permissions = GstRtspServer.RTSPPermissions()
permissions.add_permission_for_role("user", "media.factory.access", True)
permissions.add_permission_for_role("user", "media.factory.construct", True)
factory.set_permissions(permissions)
server.set_auth(auth)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print(f"ready {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
