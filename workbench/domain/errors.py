"""Two kinds of error: the world's, told in a sentence with a remedy, and ours, reported."""


class KnownError(Exception):
    """The world's error: something outside the program is not as it must be.

    `sentence` names the thing (a file, a folder, a value) and the reason; `remedy` says what to do.
    Anything else that is raised is a defect of ours and is shown as a report with its traceback.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class ValueRefused(KnownError):
    """A value that a person typed is wrong: the key, the value and what is allowed are named."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {value!r} is not allowed.", f"Allowed: {allowed}.")
        self.key = key
        self.value = value
        self.allowed = allowed
