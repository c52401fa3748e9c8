"""The third driver: a whole run in one process, in any weather, from one seed.

It delivers messages in random order and, as the weather says, loses, doubles, delays, truncates
and replays them, and kills and restarts departments. A seed gives the same run every time, so a
run that fails is a reproduction. It works for every protocol of this package: it knows messages,
never what is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from compute_nodes.crypto.masks import keystream
from compute_nodes.crypto.seed import derive
from compute_nodes.protocols.base import COORDINATOR, Coordinator, Message, Party, Step, Vector
from protos.faults import JobError, VeilError

_DICE_BYTES: Final = 4096
_DRAW_BYTES: Final = 4


class Dice:
    """Repeatable choices from a seed: AES-256-CTR, four bytes a draw; for simulation only."""

    def __init__(self, seed: bytes) -> None:
        self._seed = derive(seed, b"veil/v1/simulation/dice")
        self._draws = b""
        self._at = 0

    def below(self, limit: int) -> int:
        """Returns an integer in [0, limit); the bias of at most limit / 2**32 is let pass."""
        if self._at == len(self._draws):
            self._seed = derive(self._seed, b"veil/v1/simulation/next")
            self._draws, self._at = keystream(self._seed, _DICE_BYTES), 0
        draw = self._draws[self._at : self._at + _DRAW_BYTES]
        self._at += _DRAW_BYTES
        return int.from_bytes(draw, "little") % limit

    def chance(self, percent: int) -> bool:
        """Returns True in ``percent`` of 100 cases."""
        return self.below(100) < percent


@dataclass(frozen=True)
class Weather:
    """How often each fault strikes, in percent of deliveries; faults are tried in this order.

    Attributes:
        drop: The message is lost.
        duplicate: It arrives, and once more later.
        delay: It arrives after the round's time is over.
        truncate: A shortened copy arrives first.
        replay: An earlier or foreign message arrives first, anywhere.
        restart: The department that is to receive it is killed and rebuilt from its journal.
    """

    drop: int = 0
    duplicate: int = 0
    delay: int = 0
    truncate: int = 0
    replay: int = 0
    restart: int = 0


@dataclass(frozen=True)
class Delivery:
    """A message on its way, and whether the weather has changed its bytes."""

    to: int
    message: Message
    broken: bool = False


@dataclass
class Outcome:
    """What happened.

    Attributes:
        step: The coordinator's last step.
        error: Why there is no result; ``None`` if there is one.
        sent: Everything that the machines sent, in order, without what the weather made of it.
        refused: Deliveries that a machine refused, and with which error.
        accepted_broken: Truncated deliveries that a machine did *not* refuse.
    """

    step: Step = field(default_factory=Step)
    error: JobError | None = None
    sent: list[Delivery] = field(default_factory=list)
    refused: list[tuple[Delivery, VeilError]] = field(default_factory=list)
    accepted_broken: list[Delivery] = field(default_factory=list)


class Simulation:
    """One run.

    Args:
        coordinator: Not yet started.
        make_party: Builds party i afresh, from its own seed; called again when it restarts.
        values: Each party's vector, in order of party.
        dice: Decides everything.
        weather: What may go wrong.
        foreign: Messages of other runs that a replay may bring in.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        make_party: Callable[[int], Party],
        values: Sequence[Vector],
        dice: Dice,
        weather: Weather,
        foreign: Sequence[Message] = (),
    ) -> None:
        self._coordinator = coordinator
        self._make_party = make_party
        self._values = values
        self._dice = dice
        self._weather = weather
        self._parties = [make_party(index) for index in range(len(values))]
        self._journals: list[dict[str, tuple[Message, Message]]] = [{} for _ in values]
        self._flying: list[Delivery] = []
        self._held: list[Delivery] = []
        self._seen: list[Message] = list(foreign)
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Plays to the end: a result, or a `JobError`.

        Raises:
            VeilError: `Coordinator.start` or `expire` failed in a way that no weather excuses.
        """
        try:
            self._emit(self._coordinator.start())
            while not self._outcome.step.done:
                if self._flying:
                    self._blow(self._flying.pop(self._dice.below(len(self._flying))))
                else:
                    self._emit(self._coordinator.expire())
                    self._flying, self._held = self._flying + self._held, []
        except JobError as error:
            self._outcome.error = error
        return self._outcome

    def _blow(self, delivery: Delivery) -> None:
        """Lets the weather have its way with one delivery."""
        weather, dice = self._weather, self._dice
        if dice.chance(weather.drop):
            return
        if dice.chance(weather.duplicate):
            self._flying.append(delivery)
        if dice.chance(weather.delay):
            self._held.append(delivery)
            return
        if dice.chance(weather.truncate):
            message = delivery.message
            body = message.body[: dice.below(len(message.body))]
            cut = Message(message.round, message.sender, body)
            self._deliver(Delivery(delivery.to, cut, broken=True))
        if dice.chance(weather.replay) and self._seen:
            to = dice.below(len(self._parties) + 1) - 1  # COORDINATOR is -1
            self._deliver(Delivery(to, self._seen[dice.below(len(self._seen))]))
        if dice.chance(weather.restart) and delivery.to != COORDINATOR:
            self._restart(delivery.to)
        self._seen.append(delivery.message)
        self._deliver(delivery)

    def _deliver(self, delivery: Delivery) -> None:
        try:
            if delivery.to == COORDINATOR:
                step = self._coordinator.receive(delivery.message)
            else:
                step = self._receive(delivery.to, delivery.message)
        except JobError:
            raise
        except VeilError as error:
            self._outcome.refused.append((delivery, error))
            return
        if delivery.broken:
            self._outcome.accepted_broken.append(delivery)
        if delivery.to == COORDINATOR:
            self._emit(step)
        else:
            self._fly(step)

    def _receive(self, me: int, message: Message) -> Step:
        """A department takes a message, and journals it with its answer."""
        party = self._parties[me]
        step = party.receive(
            message, value=self._values[me] if party.needs_value(message) else None
        )
        for _, reply in step.send:
            self._journals[me].setdefault(message.round, (message, reply))
        return step

    def _restart(self, me: int) -> None:
        """Kills a department and rebuilds it from what it had journaled."""
        party = self._make_party(me)
        for message, reply in self._journals[me].values():
            party.receive(message, recorded=reply)
        self._parties[me] = party

    def _emit(self, step: Step) -> None:
        self._outcome.step = step
        self._fly(step)

    def _fly(self, step: Step) -> None:
        deliveries = [Delivery(to, message) for to, message in step.send]
        self._outcome.sent += deliveries
        self._flying += deliveries
