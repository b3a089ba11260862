"""An Ethernet configuration of RSI, as the robot and its sensor both read it."""

from pathlib import Path

_SEND = ("RIst", "RSol", "AIPos", "Delay")


def written(directory: Path, *, port: int, sensor: str = "ImFree", correction: str = "RKorr") -> str:
    """Write it; returns its path."""
    axes = "XYZABC" if correction == "RKorr" else [f"A{number}" for number in range(1, 7)]
    sent = "".join(f'<ELEMENT TAG="DEF_{tag}" TYPE="DOUBLE" INDX="INTERNAL" />' for tag in _SEND)
    taken = "".join(
        f'<ELEMENT TAG="{correction}.{axis}" TYPE="DOUBLE" INDX="{index}" HOLDON="1" />'
        for index, axis in enumerate(axes, 1)
    )
    path = directory / "RSI_EthernetConfig.xml"
    path.write_text(
        f"<ROOT><CONFIG><IP_NUMBER>127.0.0.1</IP_NUMBER><PORT>{port}</PORT><SENTYPE>{sensor}</SENTYPE>"
        f"<ONLYSEND>FALSE</ONLYSEND></CONFIG><SEND><ELEMENTS>{sent}</ELEMENTS></SEND>"
        f"<RECEIVE><ELEMENTS>{taken}</ELEMENTS></RECEIVE></ROOT>"
    )
    return str(path)
