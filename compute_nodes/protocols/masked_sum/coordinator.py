"""The exchange's side of ``masked_sum``: relays keys and boxes, adds up, takes the masks off.

It sees masked vectors only; with an envelope, the total it computes is masked too. It verifies
what it relays, so that one department's mistake is refused where it happens and does not stop the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from compute_nodes.crypto.agreement import check_public
from compute_nodes.crypto.boxes import OVERHEAD_BYTES
from compute_nodes.crypto.ring import Ring
from compute_nodes.protocols.base import (
    COORDINATOR,
    Message,
    Setup,
    Step,
    Transitions,
    Verify,
    compose,
    follow,
    read,
)
from compute_nodes.protocols.masked_sum.keys import SHARE_BYTES, Advertisement, Roster
from compute_nodes.protocols.masked_sum.messages import (
    ROUNDS,
    SEALED_SEED_BYTES,
    check_parts,
    check_survivor_tokens,
    read_keys,
)
from compute_nodes.protocols.masked_sum.threshold import check_setup
from compute_nodes.protocols.masked_sum.total import MaskedTotal
from compute_nodes.protocols.masked_sum.unmasking import remove_masks
from protos.faults import JobError, ProtocolError
from protos.language import Text

TRANSITIONS: Final[Transitions] = {
    "new": {"start": "advertise"},
    "advertise": {"enough": "shares", "too few": "failed"},
    "shares": {"enough": "masked", "too few": "failed"},
    "masked": {"enough": "consistency", "too few": "failed"},
    "consistency": {"enough": "unmask", "too few": "failed"},
    "unmask": {"enough": "done", "too few": "failed"},
    "done": {},
    "failed": {},
}


class MaskedSumCoordinator:
    """The coordinator of one run.

    Args:
        setup: Derived from the plan.
        verify: Verifies against the directory's identities; departments verify against their own
            pins and do not rely on this.

    Raises:
        InputError: The setup is not one for this protocol.
    """

    def __init__(self, setup: Setup, verify: Verify) -> None:
        check_setup(setup)
        self._setup = setup
        self._verify = verify
        self._ring = Ring(setup.bits)
        self._state = "new"
        self._asked: tuple[int, ...] = ()
        self._answered: dict[str, dict[int, int]] = {name: {} for name in ROUNDS}  # hashes
        self._keys: dict[int, tuple[Advertisement, bytes]] = {}
        self._roster = Roster(setup, ())
        self._boxes: dict[int, dict[int, bytes]] = {}  # sender → recipient → box
        self._total = self._ring.zeros(setup.length)
        self._sealed: dict[int, bytes] = {}
        self._tokens: dict[int, bytes] = {}
        self._shares: dict[int, bytes] = {}
        self._result: MaskedTotal | None = None
        self._take: Final[Mapping[str, Callable[[Message], None]]] = {
            "advertise": self._take_advertise,
            "shares": self._take_shares,
            "masked": self._take_masked,
            "consistency": self._take_consistency,
            "unmask": self._take_unmask,
        }
        self._open: Final[Mapping[str, Callable[[tuple[int, ...]], Step]]] = {
            "shares": self._open_shares,
            "masked": self._open_masked,
            "consistency": self._open_consistency,
            "unmask": self._open_unmask,
            "done": self._finish,
        }

    @property
    def sharers(self) -> tuple[int, ...]:
        """Who sent shares (U2)."""
        return tuple(sorted(self._answered["shares"]))

    @property
    def survivors(self) -> tuple[int, ...]:
        """Whose vector is in the total (U3)."""
        return tuple(sorted(self._answered["masked"]))

    def start(self) -> Step:
        """Asks everybody for keys.

        Raises:
            ProtocolError: Already started.
        """
        self._state = follow(TRANSITIONS, "the coordinator", self._state, "start")
        return self._ask(range(self._setup.n), self._request())

    def receive(self, message: Message) -> Step:
        """Takes one party's answer; see `Coordinator.receive`."""
        given = self._answered.get(message.round)
        if given is None or not 0 <= message.sender < self._setup.n:
            raise ProtocolError("no such round or department", code="protocol.order")
        # Tells a repeated answer from another one. Python's keyed hash is enough, since the first
        # answer counts in any case, and vectors of megabytes come in.
        mark = hash(message.body)
        if message.sender in given:
            if given[message.sender] != mark:
                raise ProtocolError(
                    f"{self._setup.name(message.sender)} already answered round"
                    f" {message.round!r} differently",
                    code="protocol.contradiction",
                )
            return self._waiting()
        if message.round != self._state or message.sender not in self._asked:
            raise ProtocolError(
                f"round {message.round!r} is not open for {self._setup.name(message.sender)}",
                code="protocol.late",
            )
        self._take[message.round](message)
        given[message.sender] = mark
        return self._close() if self._complete() else self._waiting()

    def expire(self) -> Step:
        """Ends the round; see `Coordinator.expire`."""
        if self._state not in self._answered:
            raise ProtocolError("no round is open", code="protocol.order")
        return self._close()

    def _complete(self) -> bool:
        answered = len(self._answered[self._state])
        # The last round rebuilds secrets: more shares than the threshold would add nothing.
        needed = self._setup.threshold if self._state == "unmask" else len(self._asked)
        return answered >= needed

    def _close(self) -> Step:
        """Goes on with who answered, or fails."""
        closed, answered = self._state, tuple(sorted(self._answered[self._state]))
        event = "enough" if len(answered) >= self._setup.threshold else "too few"
        self._state = follow(TRANSITIONS, "the coordinator", closed, event)
        if self._state != "failed":
            return self._open[self._state](answered)
        missing = ", ".join(self._setup.name(p) for p in self._asked if p not in answered)
        raise JobError(
            Text(
                f"only {len(answered)} of {self._setup.n} departments answered round {closed!r},"
                f" {self._setup.threshold} are needed; no answer came from {missing}",
                f"{self._setup.n} 个部门中只有 {len(answered)} 个应答了 {closed!r} 轮，需要 "
                f"{self._setup.threshold} 个；未应答：{missing}",
            ),
            remedy=Text(
                "submit the query again when they are online: it is a new release",
                "请在它们上线后重新提交：这将是一次新的发布",
            ),
            code="job.too_few",
        )

    # What each answer must be; nothing is kept until all of it is checked.

    def _take_advertise(self, message: Message) -> None:
        _, parts = read(self._setup, message)
        check_parts(parts, 1)
        keys = read_keys(self._setup, message.sender, parts[0], self._verify)
        for public in (keys.cipher_key, keys.mask_key):
            check_public(public)
        self._keys[message.sender] = (keys, bytes(parts[0]))

    def _take_shares(self, message: Message) -> None:
        fields, parts = read(self._setup, message, ["roster"])
        if fields["roster"] != self._roster.digest:
            raise ProtocolError("the shares were made for another roster", code="protocol.roster")
        peers = [party for party in self._roster.parties if party != message.sender]
        check_parts(parts, len(peers), [SHARE_BYTES + OVERHEAD_BYTES] * len(peers))
        boxes = (bytes(part) for part in parts)
        self._boxes[message.sender] = dict(zip(peers, boxes, strict=True))

    def _take_masked(self, message: Message) -> None:
        _, parts = read(self._setup, message)
        size = self._setup.length * self._ring.element_bytes
        sizes = [size] if self._setup.envelope is None else [size, SEALED_SEED_BYTES]
        check_parts(parts, len(sizes), sizes)
        # Added at once, so that memory does not grow with the number of departments.
        self._ring.accumulate(self._total, self._ring.from_bytes(parts[0], self._setup.length))
        if self._setup.envelope is not None:
            self._sealed[message.sender] = bytes(parts[1])

    def _take_consistency(self, message: Message) -> None:
        _, parts = read(self._setup, message)
        check_parts(parts, 1)
        token = (message.sender, parts[0])
        check_survivor_tokens(self._roster, self.sharers, self.survivors, [token], self._verify)
        self._tokens[message.sender] = bytes(parts[0])

    def _take_unmask(self, message: Message) -> None:
        _, parts = read(self._setup, message)
        survivors = len(self.survivors)
        check_parts(parts, 2, [32 * survivors, 32 * (len(self.sharers) - survivors)])
        self._shares[message.sender] = bytes(parts[0]) + bytes(parts[1])

    # What the next round asks.

    def _open_shares(self, answered: tuple[int, ...]) -> Step:
        self._roster = Roster(self._setup, tuple(self._keys[party][0] for party in answered))
        tokens = [self._keys[party][1] for party in answered]
        return self._ask(answered, self._request(tokens, parties=answered))

    def _open_masked(self, answered: tuple[int, ...]) -> Step:
        requests = []
        for party in answered:
            boxes = [self._boxes[peer][party] for peer in answered if peer != party]
            requests.append(self._request(boxes, parties=answered))
        return self._ask(answered, *requests)

    def _open_consistency(self, answered: tuple[int, ...]) -> Step:
        return self._ask(answered, self._request(parties=answered))

    def _open_unmask(self, answered: tuple[int, ...]) -> Step:
        tokens = [self._tokens[party] for party in answered]
        return self._ask(answered, self._request(tokens, parties=answered))

    def _finish(self, answered: tuple[int, ...]) -> Step:
        try:
            remove_masks(
                self._total,
                self._roster,
                self.sharers,
                self.survivors,
                {party: self._shares[party] for party in answered},
            )
        except JobError:
            self._state = "failed"
            raise
        self._asked = ()
        self._result = MaskedTotal(
            vector=self._ring.to_bytes(self._total),
            survivors=self.survivors,
            sharers=self.sharers,
            sealed_seeds=self._sealed,
            keys={party: token.decode() for party, (_, token) in self._keys.items()},
            signatures={party: token.decode() for party, token in self._tokens.items()},
        )
        return self._waiting()

    def _request(
        self, parts: Sequence[bytes] = (), *, parties: Sequence[int] | None = None
    ) -> Message:
        fields = {} if parties is None else {"parties": list(parties)}
        return compose(self._setup, self._state, COORDINATOR, fields, parts)

    def _ask(self, parties: Sequence[int], *requests: Message) -> Step:
        """Sends each party its own request, or all of them the only one."""
        self._asked = tuple(parties)
        each = requests if len(requests) > 1 else requests * len(parties)
        return replace(self._waiting(), send=tuple(zip(parties, each, strict=True)))

    def _waiting(self) -> Step:
        answered = self._answered.get(self._state, {})
        return Step(
            waiting_for=frozenset(self._asked) - answered.keys(),
            done=self._state == "done",
            result=self._result,
        )
