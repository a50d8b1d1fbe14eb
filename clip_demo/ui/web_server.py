"""What reads the requests of the page."""

from uvicorn.config import HTTP_PROTOCOLS, LOOP_FACTORIES


def use_tested_parser() -> None:
    """Let uvicorn use what requirements.txt installs, also where other packages, such as Ray, have brought faster ones.

    The limits of the page, such as that of the length of an address, are those of h11.
    """
    HTTP_PROTOCOLS["auto"], LOOP_FACTORIES["auto"] = HTTP_PROTOCOLS["h11"], LOOP_FACTORIES["asyncio"]
