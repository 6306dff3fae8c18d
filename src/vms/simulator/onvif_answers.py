"""The bodies of ONVIF answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vms.common.model.media import Codec, CodecParameters
from vms.simulator.soap import NAMESPACES, text
from vms.simulator.sources import File, Source

_VERSION = "<tt:Major>{}</tt:Major><tt:Minor>{}</tt:Minor>"


@dataclass(frozen=True, slots=True)
class Profile:
    """A media profile: the stream of that name, its tracks and where it comes from."""

    name: str
    tracks: tuple[CodecParameters, ...]
    source: Source

    @property
    def bitrate(self) -> int:
        """In kbit/s; a file does not say."""
        return 4096 if isinstance(self.source, File) else self.source.bitrate // 1000

    @property
    def gop(self) -> int:
        return 50 if isinstance(self.source, File) else self.source.key_interval


def date_and_time(now: datetime) -> str:
    return (
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime>"
        "<tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings>"
        "<tt:TimeZone><tt:TZ>UTC0</tt:TZ></tt:TimeZone><tt:UTCDateTime><tt:Time>"
        f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
        f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
        f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
        "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
    )


def device_information(camera: str) -> str:
    return (
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>VMS</tds:Manufacturer>"
        "<tds:Model>Simulated camera</tds:Model><tds:FirmwareVersion>1.0</tds:FirmwareVersion>"
        f"<tds:SerialNumber>SIM-{text(camera)}</tds:SerialNumber>"
        "<tds:HardwareId>simulator</tds:HardwareId></tds:GetDeviceInformationResponse>"
    )


def capabilities(base: str) -> str:
    return (
        "<tds:GetCapabilitiesResponse><tds:Capabilities>"
        f"<tt:Device><tt:XAddr>{base}/device_service</tt:XAddr></tt:Device>"
        f"<tt:Media><tt:XAddr>{base}/media_service</tt:XAddr><tt:StreamingCapabilities>"
        "<tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP>"
        "<tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>"
        f"<tt:Events><tt:XAddr>{base}/event_service</tt:XAddr>"
        "<tt:WSPullPointSupport>true</tt:WSPullPointSupport></tt:Events>"
        "</tds:Capabilities></tds:GetCapabilitiesResponse>"
    )


def services(base: str) -> str:
    listed = "".join(
        f"<tds:Service><tds:Namespace>{NAMESPACES[prefix]}</tds:Namespace>"
        f"<tds:XAddr>{base}/{path}</tds:XAddr>"
        f"<tds:Version>{_VERSION.format(major, minor)}</tds:Version></tds:Service>"
        for prefix, path, major, minor in (
            ("tds", "device_service", 2, 60),
            ("trt", "media_service", 2, 60),
            ("tr2", "media2_service", 2, 60),
            ("tev", "event_service", 2, 60),
        )
    )
    return f"<tds:GetServicesResponse>{listed}</tds:GetServicesResponse>"


def scopes(camera: str) -> str:
    listed = "".join(
        "<tds:Scopes><tt:ScopeDef>Fixed</tt:ScopeDef>"
        f"<tt:ScopeItem>{scope}</tt:ScopeItem></tds:Scopes>"
        for scope in scope_items(camera)
    )
    return f"<tds:GetScopesResponse>{listed}</tds:GetScopesResponse>"


def scope_items(camera: str) -> tuple[str, ...]:
    """What discovery and GetScopes say of a device."""
    return (
        "onvif://www.onvif.org/type/Network_Video_Transmitter",
        "onvif://www.onvif.org/Profile/Streaming",
        "onvif://www.onvif.org/Profile/T",
        f"onvif://www.onvif.org/name/{camera}",
        "onvif://www.onvif.org/hardware/simulator",
    )


def hostname(camera: str) -> str:
    return (
        "<tds:GetHostnameResponse><tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP>"
        f"<tt:Name>{text(camera)}</tt:Name></tds:HostnameInformation></tds:GetHostnameResponse>"
    )


def profiles(found: list[Profile], *, second: bool) -> str:
    """GetProfiles of Media2 if `second`, else of Media, which has no word for H.265."""
    prefix = "tr2" if second else "trt"
    listed = "".join((_second if second else _first)(profile) for profile in found)
    return f"<{prefix}:GetProfilesResponse>{listed}</{prefix}:GetProfilesResponse>"


def _size(video: CodecParameters) -> str:
    return (
        f"<tt:Resolution><tt:Width>{video.width}</tt:Width>"
        f"<tt:Height>{video.height}</tt:Height></tt:Resolution>"
    )


def _source(video: CodecParameters) -> str:
    return (
        "<tt:Name>VideoSource</tt:Name><tt:UseCount>2</tt:UseCount>"
        "<tt:SourceToken>source1</tt:SourceToken>"
        f'<tt:Bounds x="0" y="0" width="{video.width}" height="{video.height}"/>'
    )


_MULTICAST = (
    "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address>"
    "</tt:Address><tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart>"
    "</tt:Multicast>"
)


def _first(profile: Profile) -> str:
    video, name = profile.tracks[0], text(profile.name)
    encoder = ""
    if video.codec is Codec.H264:
        encoder = (
            f'<tt:VideoEncoderConfiguration token="{name}_encoder"><tt:Name>{name}</tt:Name>'
            f"<tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding>{_size(video)}"
            "<tt:Quality>4</tt:Quality><tt:RateControl>"
            f"<tt:FrameRateLimit>{round(video.frame_rate)}</tt:FrameRateLimit>"
            "<tt:EncodingInterval>1</tt:EncodingInterval>"
            f"<tt:BitrateLimit>{profile.bitrate}</tt:BitrateLimit></tt:RateControl><tt:H264>"
            f"<tt:GovLength>{profile.gop}</tt:GovLength>"
            f"<tt:H264Profile>Baseline</tt:H264Profile></tt:H264>{_MULTICAST}"
            "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration>"
        )
    return (
        f'<trt:Profiles token="{name}" fixed="true"><tt:Name>{name}</tt:Name>'
        f'<tt:VideoSourceConfiguration token="source1_configuration">{_source(video)}'
        f"</tt:VideoSourceConfiguration>{encoder}</trt:Profiles>"
    )


def _second(profile: Profile) -> str:
    video, name = profile.tracks[0], text(profile.name)
    encoding = "H265" if video.codec is Codec.H265 else "H264"
    return (
        f'<tr2:Profiles token="{name}" fixed="true"><tr2:Name>{name}</tr2:Name>'
        f'<tr2:Configurations><tr2:VideoSource token="source1_configuration">{_source(video)}'
        f'</tr2:VideoSource><tr2:VideoEncoder token="{name}_encoder" '
        f'GovLength="{profile.gop}" Profile="Main"><tt:Name>{name}</tt:Name>'
        f"<tt:UseCount>1</tt:UseCount><tt:Encoding>{encoding}</tt:Encoding>{_size(video)}"
        f"<tt:RateControl><tt:FrameRateLimit>{video.frame_rate:g}</tt:FrameRateLimit>"
        f"<tt:BitrateLimit>{profile.bitrate}</tt:BitrateLimit></tt:RateControl>"
        "<tt:Quality>4</tt:Quality></tr2:VideoEncoder></tr2:Configurations></tr2:Profiles>"
    )


def uri(operation: str, address: str, *, second: bool) -> str:
    """GetStreamUri and GetSnapshotUri."""
    if second:
        return (
            f"<tr2:{operation}Response><tr2:Uri>{text(address)}</tr2:Uri></tr2:{operation}Response>"
        )
    return (
        f"<trt:{operation}Response><trt:MediaUri><tt:Uri>{text(address)}</tt:Uri>"
        "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
        "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout>"
        f"</trt:MediaUri></trt:{operation}Response>"
    )
