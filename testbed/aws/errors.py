"""How a service refuses."""


class ServiceError(Exception):
    """A refusal: the code and the text that clients see."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
