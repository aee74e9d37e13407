"""What the demo of webhooks shows, step by step; each step checks what it says."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from demos.scene import Check
from demos.webhook_account import Outcome, Sent, WebhookAccount
from testbed.webhooks.signing import KINDS, SIGNATURE_HEADER


@dataclass(slots=True)
class Stage:
    """A step while it is played."""

    account: WebhookAccount
    everything_printed: Callable[[], str] = str
    outcomes: list[Outcome] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    _queued_before: int = 0
    _reads_before: int = 0

    def __post_init__(self) -> None:
        """Count from here."""
        self._queued_before, self._reads_before = self.account.queued, self.account.reads

    def post(self, what: str, sent: Sent, *twice: str) -> Outcome:
        """Send a request, and keep what came of it."""
        outcome = self.account.post(what, sent, *twice)
        self.outcomes.append(outcome)
        return outcome

    def check(self, claim: str, expected: object, actual: object) -> None:
        """Check what the step says."""
        self.checks.append(Check(claim=claim, expected=expected, actual=actual))

    def check_all(self, status: int, *, queued: int) -> None:
        """Check every status of the step, and how many messages the queue took."""
        self.check(f"every response is {status}", [status] * len(self.outcomes), [a.status for a in self.outcomes])
        self.check("messages that the queue took", queued, self.queued)

    @property
    def queued(self) -> int:
        """Messages that the queue took in this step."""
        return self.account.queued - self._queued_before

    @property
    def reads(self) -> int:
        """Reads of secrets in this step."""
        return self.account.reads - self._reads_before


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step as the story has it."""

    title: str
    why: str
    play: Callable[[Stage], None]


def signed(stage: Stage) -> None:
    """Send each provider's deliveries."""
    for kind in KINDS:
        stage.post(f"{kind}, signed", stage.account.sign(kind))
    stage.check_all(200, queued=len(KINDS))
    for kind in KINDS:
        stage.post(f"{kind}, another one", stage.account.sign(kind))
    stage.check("messages after as many more", 2 * len(KINDS), stage.queued)
    # Each secret was read once, and looked for once more as a previous version.
    stage.check("reads of secrets for all of them", 2 * len(KINDS), stage.reads)


def forged(stage: Stage) -> None:
    """Send what others signed, and what was changed."""
    for kind in KINDS:
        stage.post(f"{kind}, signed by a stranger", stage.account.sign(kind, secret="whsec_" + "f" * 32))
    genuine = stage.account.sign("stripe")
    stage.post("stripe, another body", replace(genuine, body=genuine.body + b" "))
    stage.check_all(401, queued=0)
    stage.check("each response says the same word", {"refused"}, {outcome.body for outcome in stage.outcomes})


def replayed(stage: Stage) -> None:
    """Send deliveries again, at once and late."""
    sent = {kind: stage.account.sign(kind) for kind in KINDS}
    for kind in KINDS:
        stage.post(f"{kind}, signed", sent[kind])
        stage.post(f"{kind}, the same again", sent[kind])
    github = sent["github"]
    stage.post(
        "github, under another delivery ID", replace(github, headers={**github.headers, "X-GitHub-Delivery": "x"})
    )
    stage.check_all(200, queued=len(KINDS))
    late = ("stripe", "slack", "standard")
    outcomes = [
        stage.post(f"{kind}, recorded six minutes ago", stage.account.sign(kind, seconds_ago=360)) for kind in late
    ]
    stage.check("recordings are 401", [401] * 3, [outcome.status for outcome in outcomes])


def replayed_later(stage: Stage) -> None:
    """Send GitHub's delivery again after the queue has forgotten it."""
    sent = stage.account.sign("github")
    stage.post("github, signed", sent)
    stage.account.queue.clock_offset_seconds += 301
    stage.post("github, the same five minutes later", sent)
    stage.check_all(200, queued=2)
    one, two = stage.account.queue.messages[-2:]
    stage.check("both messages have one key", True, one.deduplication_id == two.deduplication_id)


def malformed(stage: Stage) -> None:
    """Send what no provider sends."""
    for kind in KINDS:
        sent, name = stage.account.sign(kind), SIGNATURE_HEADER[kind]
        others = {key: value for key, value in sent.headers.items() if key != name}
        stage.post(f"{kind}, without a signature", replace(sent, headers=others))
        stage.post(f"{kind}, with a garbled one", replace(sent, headers={**others, name: "t=1,v1=zz"}))
        stage.post(f"{kind}, with the header twice", sent, name)
    stage.check_all(400, queued=0)
    stage.check("reads of secrets", 0, stage.reads)


def rotated(stage: Stage) -> None:
    """Store new secrets, and sign with both."""
    for kind in KINDS:
        previous = stage.account.store_secret(kind)
        new = stage.post(f"{kind}, signed with the new secret", stage.account.sign(kind))
        old = stage.post(f"{kind}, signed with the previous", stage.account.sign(kind, secret=previous))
        stages = [outcome.line.get("secret_stage") for outcome in (new, old)]
        stage.check(f"{kind}: verified with", ["current", "previous"], stages)
    stage.check_all(200, queued=2 * len(KINDS))


def overlap_over(stage: Stage) -> None:
    """Store new secrets as of two hours ago, and sign with both."""
    for kind in KINDS:
        previous = stage.account.store_secret(kind, hours_ago=2)
        new = stage.post(f"{kind}, signed with the new secret", stage.account.sign(kind))
        old = stage.post(f"{kind}, signed with the previous", stage.account.sign(kind, secret=previous))
        stage.check(f"{kind}: responses", [200, 401], [new.status, old.status])
    stage.check("messages that the queue took", len(KINDS), stage.queued)


def outage(stage: Stage) -> None:
    """Cut Secrets Manager off."""
    stage.account.store.fault("drop_before", times=None)
    for kind in KINDS:
        stage.post(f"{kind}, signed", stage.account.sign(kind))
    stage.account.store.faults.clear()
    stage.check_all(200, queued=len(KINDS))


def queue_refuses(stage: Stage) -> None:
    """Let the queue refuse, and then take the retry."""
    sent = stage.account.sign("stripe")
    stage.account.queue.fault("unavailable", times=None)
    refused = stage.post("stripe, signed", sent)
    stage.account.queue.faults.clear()
    stage.check("the sender is asked to try again", (503, "30"), (refused.status, refused.headers.get("Retry-After")))
    again = stage.post("stripe, the sender's retry", sent)
    stage.check("the retry is taken", (200, 1), (again.status, stage.queued))


def handshakes(stage: Stage) -> None:
    """Send what providers test an endpoint with."""
    challenge = stage.account.sign("slack", type="url_verification", challenge="challenge-1")
    outcome = stage.post("slack, url_verification", challenge)
    stage.check("Slack's challenge comes back", "challenge-1", outcome.body)
    ping = stage.account.sign("github", zen="Keep it logically awesome.", hook_id=1)
    stage.post("github, ping", replace(ping, headers={**ping.headers, "X-GitHub-Event": "ping"}))
    stage.check_all(200, queued=0)


def nothing_shown(stage: Stage) -> None:
    """Look for every secret, signature and body in all that was printed."""
    printed = stage.everything_printed()
    found = [1 for value in stage.account.unspeakable if value in printed]
    stage.check("secrets, signatures and bodies that were looked for", True, len(stage.account.unspeakable) > 50)  # noqa: PLR2004 - enough
    stage.check("of these were found in logs, responses and this text", 0, len(found))
    lines = [text for text in stage.account.printed if '"event": "webhook"' in text]
    stage.check("the receiver logged each request", True, len(lines) > 50)  # noqa: PLR2004 - enough


STORY = (
    Step(
        title="Signed deliveries are queued",
        why="Each provider signs its own way. The receiver checks the very bytes and says 200 once the queue has them.",
        play=signed,
    ),
    Step(
        title="Secrets are rotated without a loss",
        why="The new secret is taken up by the first delivery that needs it; the previous one is accepted for an hour.",
        play=rotated,
    ),
    Step(
        title="After the overlap the previous secret is refused",
        why="The hour counts from when the new secret was stored, by the clock: here, two hours ago.",
        play=overlap_over,
    ),
    Step(
        title="Forged deliveries are refused",
        why="A signature that fits no secret is 401, after one look for a newer secret. The word is always the same.",
        play=forged,
    ),
    Step(
        title="Replayed deliveries are dropped",
        why="Within five minutes the queue drops copies by a key of signed bytes; later the signed time is too old.",
        play=replayed,
    ),
    Step(
        title="GitHub signs no time",
        why="So a replay after five minutes is queued again, with the same key: the consumer's idempotency drops it.",
        play=replayed_later,
    ),
    Step(
        title="Malformed requests cost nothing",
        why="A signature that is missing, garbled or sent twice is 400 before any secret is read.",
        play=malformed,
    ),
    Step(
        title="Secrets Manager is down",
        why="A warm receiver goes on with what it knows.",
        play=outage,
    ),
    Step(
        title="The queue is down",
        why="Then the sender is asked to try again, and its retry is taken.",
        play=queue_refuses,
    ),
    Step(
        title="Handshakes get their response",
        why="Slack's challenge and GitHub's ping are signed, too, and nothing to process.",
        play=handshakes,
    ),
    Step(
        title="No secret was printed",
        why="Neither logs nor responses hold a secret, a signature or a body.",
        play=nothing_shown,
    ),
)
